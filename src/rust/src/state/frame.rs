//! One environment as it was: whether its bindings are different now, and putting them back.
//!
//! What was saved is kept alive here, and R copies an object that has two holders before it changes it, so the same
//! pointer is the same value. `.Random.seed` of the global environment is left out: R/worker-random.R looks after it.

use extendr_ffi::SEXPTYPE;

use crate::r::{Answer, Kept, Object, Scope, Symbol, Tree};

/// What is saved of a variable. The value of an active binding is its function.
#[derive(Clone, Copy, Debug)]
struct Variable {
    symbol: Symbol,
    is_active: bool,
    is_locked: bool,
    /// A promise may have none yet.
    has_value: bool,
}

/// An environment as it was.
#[derive(Debug)]
pub(super) struct Frame {
    env: Kept,
    variables: Vec<Variable>,
    /// A list of their values.
    values: Kept,
    is_locked: bool,
}

/// The variable as it is now, and its value.
fn look<'a>(env: Object<'a>, symbol: Symbol) -> (Variable, Option<Object<'a>>) {
    let is_active = env.is_active(symbol);
    let value = if is_active {
        Some(env.active_function(symbol))
    } else {
        env.value_of(symbol)
    };
    let variable = Variable {
        symbol,
        is_active,
        is_locked: env.is_binding_locked(symbol),
        has_value: value.is_some(),
    };
    (variable, value)
}

fn is_left_out(env: Object<'_>, symbol: Symbol) -> bool {
    env.is_global() && symbol.name() == b".Random.seed"
}

/// How many variables it has that are looked after.
fn size_of(env: Object<'_>) -> usize {
    let has_seed = env.is_global() && env.has_variable(Symbol::seed());
    env.length() - usize::from(has_seed)
}

impl Frame {
    /// So is the environment now.
    pub(super) fn save(scope: &Scope, env: Object<'_>) -> Answer<Frame> {
        let symbols = scope.symbols_in(env)?;
        let mut variables = Vec::with_capacity(symbols.len());
        let values = scope.empty_list(symbols.len())?;
        for symbol in symbols {
            if is_left_out(env, symbol) {
                continue;
            }
            let (variable, value) = look(env, symbol);
            values.set(variables.len(), value.unwrap_or(scope.null()))?;
            variables.push(variable);
        }
        Ok(Frame {
            env: scope.hold(env)?,
            variables,
            values: scope.hold(values)?,
            is_locked: env.is_locked(),
        })
    }

    /// The environment itself.
    pub(super) fn env(&self) -> Object<'_> {
        self.env.object()
    }

    /// Looks only at how many variables there are.
    pub(super) fn size_differs(&self) -> bool {
        size_of(self.env()) != self.variables.len()
    }

    pub(super) fn differs(&self) -> bool {
        let mut places = 0..self.variables.len();
        self.size_differs()
            || self.env().is_locked() != self.is_locked
            || places.any(|place| self.variable_differs(place))
    }

    fn variable_differs(&self, place: usize) -> bool {
        let saved = self.variables[place];
        if !self.env().has_variable(saved.symbol) {
            return true;
        }
        let (now, value) = look(self.env(), saved.symbol);
        now.is_active != saved.is_active
            || now.is_locked != saved.is_locked
            || (saved.has_value && value != self.values.object().element(place))
    }

    /// Puts it back. False when the environment was locked, which cannot be undone.
    pub(super) fn restore(&self, scope: &Scope) -> Answer<bool> {
        let env = self.env();
        if env.is_locked() != self.is_locked {
            return Ok(false);
        }
        for symbol in scope.symbols_in(env)? {
            let is_saved = self.variables.iter().any(|saved| saved.symbol == symbol);
            if !is_saved && !is_left_out(env, symbol) {
                scope.remove_variable(env, symbol)?;
            }
        }
        for (place, saved) in self.variables.iter().enumerate() {
            if self.variable_differs(place) {
                let value = self.values.object().element(place).unwrap_or(scope.null());
                put_back(scope, env, *saved, value)?;
            }
        }
        Ok(true)
    }

    /// The saved values, without those of active bindings and of promises.
    pub(super) fn values<'s>(&'s self, scope: &'s Scope) -> Answer<Object<'s>> {
        let values = self.values.object().elements_of_list();
        let is_value = |(variable, value): &(&Variable, Object<'_>)| {
            !variable.is_active && variable.has_value && value.kind() != SEXPTYPE::PROMSXP
        };
        let values = self.variables.iter().zip(values).filter(is_value);
        let values: Vec<Tree<'_>> = values.map(|(_, value)| value.into()).collect();
        Ok(scope.make(&Tree::list(&values))?)
    }
}

fn put_back(scope: &Scope, env: Object<'_>, saved: Variable, value: Object<'_>) -> Answer<()> {
    let symbol = saved.symbol;
    if env.has_variable(symbol) {
        scope.unlock_variable(env, symbol)?;
        if env.is_active(symbol) || saved.is_active {
            scope.remove_variable(env, symbol)?;
        }
    }
    if saved.is_active {
        scope.make_active(env, symbol, value)?;
    } else if saved.has_value {
        scope.set_variable(env, symbol, value)?;
    }
    if saved.is_locked && env.has_variable(symbol) {
        scope.lock_variable(env, symbol)?;
    }
    Ok(())
}
