//! What a task can change of the R session, as it was before: to see what is different, and, where R code is not needed
//! for it, to put it back. What belongs to the process is [`taskq_sys::snapshot`]'s.
//!
//! After every task [`changed`] runs, so it only compares pointers. The other way round an equal value may have another
//! pointer; that is found out by R/worker-state.R, which is called only when something differs.
//!
//! | part | compared |
//! | --- | --- |
//! | options | tags and values of the pairlist `.Options`, in their order |
//! | objects | number of objects in the global environment; value, lock and activity of each saved one; its own lock |
//! | registries | the same of the environments in which packages remember what tasks are to be run by, and R its hooks |
//! | tables | number of S3 methods that are registered, per package of R's own |
//! | namespaces | their number |
//! | search path | the parents of the global environment |
//! | probe | the integers that an R function returns |
//! | devices | their number |
//! | library paths | the vector that .libPaths() keeps |
//! | opened | what `init` has opened: addresses of external pointers, and what an R function says |
//! | random numbers | whether `.Random.seed` is still the binding that makes a seed when it is first used |

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::{c_void, CStr};
use std::rc::Rc;

use taskq_sys::snapshot::{Changes, Snapshot};

use crate::entries::entries;
use crate::r::{num_devices, Answer, Kept, Object, Scope, Stop, Symbol, Tree};
use frame::Frame;

mod frame;

// The bits of the parts; all stand in R/worker-state.R, too. The low ones are those of `Changes`.
const PROCESS: u32 = 31;
const OPTIONS: u32 = 32;
const OBJECTS: u32 = 64;
const SEARCH: u32 = 128;
const PROBE: u32 = 256;
const DEVICES: u32 = 512;
const LIBPATH: u32 = 1024;
const RANDOM: u32 = 2048;
const REGISTRIES: u32 = 4096;
const TABLES: u32 = 8192;
const NAMESPACES: u32 = 16384;
const OPENED: u32 = 32768;

/// An environment that is watched besides the global one.
struct Watched {
    frame: Frame,
    /// It grows when packages are loaded.
    grows: bool,
    /// So that only its size is looked at.
    is_large: bool,
}

impl Watched {
    fn differs(&self) -> bool {
        if self.is_large {
            self.frame.size_differs()
        } else {
            self.frame.differs()
        }
    }

    fn part(&self) -> u32 {
        if self.grows {
            TABLES
        } else {
            REGISTRIES
        }
    }
}

/// How to look, and what was there.
struct Home {
    /// Calls: of what gives integers that stand for the state of R; and of what lifts time limits.
    probe: Rc<Kept>,
    lift: Rc<Kept>,
    /// The environments of `.libPaths()` and of all namespaces.
    library_env: Kept,
    namespaces: Kept,
    /// Tags and values by turns.
    options: Option<Kept>,
    objects: Option<Rc<Frame>>,
    /// By name.
    watched: BTreeMap<String, Rc<Watched>>,
    parents: Vec<Kept>,
    probed: Vec<i32>,
    devices: i32,
    library: Option<Kept>,
    namespace_count: usize,
    /// What `init` has opened: pointers with their addresses, and the call that says whether the rest is open.
    pointers: Vec<(Kept, *mut c_void)>,
    is_open: Option<Rc<Kept>>,
    /// Whether somebody may have set time limits.
    may_be_limited: bool,
    process: Option<Snapshot>,
}

thread_local! {
    static HOME: RefCell<Option<Home>> = const { RefCell::new(None) };
}

/// Uses the home of this session. Nothing in `body` may call R: what it collects may do anything, and come here.
fn with_home<T>(body: impl FnOnce(&mut Home) -> T) -> Answer<T> {
    HOME.with_borrow_mut(|home| match home {
        Some(home) => Ok(body(home)),
        None => Err(Stop::Fault(
            "this session has no state to go back to".to_owned(),
        )),
    })
}

/// How to look: calls of a probe and of what lifts time limits; the environments of `.libPaths()` and of all
/// namespaces.
fn rs_state_begin(
    scope: &Scope,
    probe: Object<'_>,
    lift: Object<'_>,
    library_env: Object<'_>,
    namespaces: Object<'_>,
) -> Answer<()> {
    let home = Home {
        probe: Rc::new(scope.hold(probe)?),
        lift: Rc::new(scope.hold(lift)?),
        library_env: scope.hold(library_env)?,
        namespaces: scope.hold(namespaces)?,
        options: None,
        objects: None,
        watched: BTreeMap::new(),
        parents: Vec::new(),
        probed: Vec::new(),
        devices: 0,
        library: None,
        namespace_count: 0,
        pointers: Vec::new(),
        is_open: None,
        may_be_limited: false,
        process: None,
    };
    let before = HOME.replace(Some(home));
    drop(before);
    Ok(())
}

/// Watches an environment as it is now, instead of the one that had this name. `how`: the sum of 1, it grows when
/// packages are loaded, and 2, it is large.
fn rs_state_watch(scope: &Scope, name: Cow<'_, str>, env: Object<'_>, how: i32) -> Answer<()> {
    let watched = Rc::new(Watched {
        frame: Frame::save(scope, env)?,
        grows: how & 1 != 0,
        is_large: how & 2 != 0,
    });
    let before = with_home(|home| home.watched.insert(name.into_owned(), watched))?;
    drop(before);
    Ok(())
}

/// The saved objects of the global environment that are values: neither active nor a promise.
fn rs_state_objects(scope: &Scope) -> Answer<Object<'_>> {
    let objects = with_home(|home| home.objects.clone())?;
    match objects {
        Some(objects) => {
            let values = objects.values(scope)?;
            Ok(scope.adopt(values)?)
        }
        None => Ok(scope.null()),
    }
}

/// What `init` has opened: a list of external pointers; and a call, or NULL, that says whether what is open where a
/// pointer does not tell still is.
fn rs_state_opened(scope: &Scope, pointers: Object<'_>, is_open: Object<'_>) -> Answer<()> {
    let pointers = pointers.elements_of_list();
    let pointers = pointers.map(|pointer| Ok((scope.hold(pointer)?, pointer.address())));
    let pointers = pointers.collect::<Answer<Vec<_>>>()?;
    let is_open = match is_open.is_null() {
        true => None,
        false => Some(Rc::new(scope.hold(is_open)?)),
    };
    with_home(|home| {
        home.pointers = pointers;
        home.is_open = is_open;
    })
}

/// The state of the process as it is now is the one to go back to. `bare`: only R's own packages have compiled code
/// here.
fn rs_state_process(bare: bool) -> Answer<()> {
    with_home(|home| home.process = Some(Snapshot::take(bare)))
}

/// So are these parts of the R session.
fn rs_state_save(scope: &Scope, parts: i32) -> Answer<()> {
    let parts = parts as u32;
    if parts & OPTIONS != 0 {
        let options = scope.make(&Tree::list(&options_now()))?;
        let options = Some(scope.hold(options)?);
        with_home(|home| home.options = options)?;
    }
    if parts & OBJECTS != 0 {
        let objects = Some(Rc::new(Frame::save(scope, scope.global())?));
        with_home(|home| home.objects = objects)?;
    }
    for part in [REGISTRIES, TABLES] {
        if parts & part != 0 {
            save_watched(scope, part)?;
        }
    }
    if parts & NAMESPACES != 0 {
        with_home(|home| home.namespace_count = home.namespaces.object().length())?;
    }
    if parts & SEARCH != 0 {
        let parents = search_path().map(|env| scope.hold(env));
        let parents = parents.collect::<Result<Vec<_>, _>>()?;
        with_home(|home| home.parents = parents)?;
    }
    if parts & PROBE != 0 {
        let probed = probe(scope)?;
        with_home(|home| home.probed = probed)?;
    }
    if parts & DEVICES != 0 {
        with_home(|home| home.devices = num_devices())?;
    }
    if parts & LIBPATH != 0 {
        let library = with_home(|home| library_now(home).map(|library| scope.hold(library)))?;
        let library = library.transpose()?;
        with_home(|home| home.library = library)?;
    }
    Ok(())
}

fn save_watched(scope: &Scope, part: u32) -> Answer<()> {
    let watched = with_home(|home| home.watched.clone())?;
    for (name, watched) in watched {
        if watched.part() == part {
            let watched = Rc::new(Watched {
                frame: Frame::save(scope, watched.frame.env())?,
                ..*watched
            });
            with_home(|home| home.watched.insert(name, watched))?;
        }
    }
    Ok(())
}

/// What differs from the saved state, as bits; NULL for nothing.
pub(crate) fn changed(scope: &Scope) -> Answer<Option<i32>> {
    lift_time_limits(scope)?;
    let mut parts = with_home(|home| {
        let mut parts = home
            .process
            .as_mut()
            .map_or(0, |process| process.changes().bits());
        for watched in home.watched.values().filter(|watched| watched.differs()) {
            parts |= watched.part();
        }
        let objects_differ = home
            .objects
            .as_ref()
            .is_some_and(|objects| objects.differs());
        let differing = [
            (OPTIONS, options_differ(home)),
            (OBJECTS, objects_differ),
            (SEARCH, search_differs(home)),
            (DEVICES, num_devices() != home.devices),
            (
                LIBPATH,
                library_now(home) != home.library.as_ref().map(Kept::object),
            ),
            (
                NAMESPACES,
                home.namespaces.object().length() != home.namespace_count,
            ),
            (RANDOM, random_differs(scope)),
        ];
        for (part, _) in differing.into_iter().filter(|(_, differs)| *differs) {
            parts |= part;
        }
        parts
    })?;
    let probed = probe(scope)?;
    if with_home(|home| home.probed != probed)? {
        parts |= PROBE;
    }
    if opened_differ(scope)? {
        parts |= OPENED;
    }
    Ok((parts != 0).then_some(parts as i32))
}

/// See [`changed`].
fn rs_state_changed(scope: &Scope) -> Answer<Option<i32>> {
    changed(scope)
}

/// Puts these parts back, which need no R code. NULL, or why not.
fn rs_state_restore(scope: &Scope, parts: i32) -> Answer<Option<String>> {
    let parts = parts as u32;
    if parts & PROCESS != 0 {
        let changes = Changes::from_bits(parts & PROCESS);
        let restored = with_home(|home| home.process.as_ref().map(|home| home.restore(changes)))?;
        if let Some(Err(error)) = restored {
            return Ok(Some(error.to_string()));
        }
    }
    let objects = with_home(|home| home.objects.clone())?;
    if let Some(objects) = objects.filter(|_| parts & OBJECTS != 0) {
        if !objects.restore(scope)? {
            return Ok(Some("the global environment was locked".to_owned()));
        }
    }
    for watched in with_home(|home| home.watched.clone())?.into_values() {
        let is_asked = parts & watched.part() != 0;
        if is_asked && watched.differs() && !watched.frame.restore(scope)? {
            return Ok(Some("an environment of a package was locked".to_owned()));
        }
    }
    Ok(None)
}

/// Tags and values of R's options by turns; none in an R that keeps them in another way.
fn options_now<'a>() -> Vec<Tree<'a>> {
    let parts = |(tag, value): (Object<'a>, Object<'a>)| [tag.into(), value.into()];
    Object::options().flat_map(parts).collect()
}

/// An R that keeps its options in another way has them compared by R code, every time.
fn options_differ(home: &Home) -> bool {
    let Some(saved) = &home.options else {
        return true;
    };
    let mut now = Object::options().flat_map(|(tag, value)| [tag, value]);
    let is_same = saved
        .object()
        .elements_of_list()
        .all(|part| now.next() == Some(part));
    saved.object().length() == 0 || !is_same || now.next().is_some()
}

/// The environments between the global one and that of base.
fn search_path<'a>() -> impl Iterator<Item = Object<'a>> {
    let first = Object::global().parent();
    std::iter::successors(Some(first), |env| Some(env.parent())).take_while(|env| !env.is_base())
}

fn search_differs(home: &Home) -> bool {
    let mut now = search_path();
    let is_same = home
        .parents
        .iter()
        .all(|env| now.next() == Some(env.object()));
    !is_same || now.next().is_some()
}

fn probe(scope: &Scope) -> Answer<Vec<i32>> {
    let probe = with_home(|home| Rc::clone(&home.probe))?;
    scope.within(|scope| {
        let probed = scope.evaluate_call(probe.object())?;
        let numbers = probed.integers()?.map(<[i32]>::to_vec);
        numbers.ok_or_else(|| Stop::Fault("the probe does not return integers".to_owned()))
    })
}

/// Limits can only be lifted, not asked for, and lifting them takes longer than all the rest. R's own functions are
/// promises until they are first used; as long as those that set limits are, there are none. Where promises cannot be
/// looked at, limits are lifted every time.
fn lift_time_limits(scope: &Scope) -> Answer<()> {
    let lift = with_home(|home| {
        let was_used = |name: &'static CStr| Object::base_function_was_used(name);
        home.may_be_limited =
            home.may_be_limited || was_used(c"setTimeLimit") || was_used(c"setSessionTimeLimit");
        home.may_be_limited.then(|| Rc::clone(&home.lift))
    })?;
    if let Some(lift) = lift {
        scope.within(|scope| Ok(scope.evaluate_call(lift.object()).map(|_| ())?))?;
    }
    Ok(())
}

fn library_now(home: &Home) -> Option<Object<'_>> {
    home.library_env
        .object()
        .value_of(Symbol::named(c".lib.loc"))
}

fn random_differs(scope: &Scope) -> bool {
    let (seed, global) = (Symbol::seed(), scope.global());
    !global.has_variable(seed) || !global.is_active(seed)
}

/// Whether what `init` has opened was closed.
fn opened_differ(scope: &Scope) -> Answer<bool> {
    let (pointers_differ, is_open) = with_home(|home| {
        let mut pointers = home.pointers.iter();
        let differ = pointers.any(|(pointer, address)| pointer.object().address() != *address);
        (differ, home.is_open.clone())
    })?;
    let Some(is_open) = is_open.filter(|_| !pointers_differ) else {
        return Ok(pointers_differ);
    };
    scope.within(|scope| {
        // A driver in C++ takes up the random numbers for each call: it gets some of its own.
        let (seed, global) = (Symbol::seed(), scope.global());
        let binding = (!random_differs(scope)).then(|| scope.adopt(global.active_function(seed)));
        let binding = binding.transpose()?;
        if binding.is_some() {
            scope.remove_variable(global, seed)?;
        }
        let open = scope.try_call(is_open.object())?;
        let is_open = open.map(Object::logicals).transpose()?.flatten() == Some(&[1][..]);
        if let Some(binding) = binding {
            if global.has_variable(seed) {
                scope.remove_variable(global, seed)?;
            }
            scope.make_active(global, seed, binding)?;
        }
        Ok(!is_open)
    })
}

entries! {
    rs_state_begin[scope](probe, lift, library_env, namespaces),
    rs_state_watch[scope](name, env, how),
    rs_state_objects[scope](),
    rs_state_opened[scope](pointers, is_open),
    rs_state_process(bare),
    rs_state_save[scope](parts),
    rs_state_changed[scope](),
    rs_state_restore[scope](parts),
}
