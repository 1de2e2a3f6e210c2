//! Everything that can happen while a queue comes up and ends, in virtual time and without a process: the real
//! decisions about a supervisor and the real scheduler, against every order in which zygote, supervisor, session, user
//! and driver can come, with crashes and stops at any point. Where nothing can happen any more, the queue has to be
//! closed, and no process may be left.

mod choices;
mod host;
mod machine;
mod world;

use std::collections::{HashSet, VecDeque};

use choices::{fingerprint, Choices};
use host::{Host, System, Turn};
use world::{Climate, Wish, World};

/// A state that was reached, and how.
struct Reached {
    before: Option<usize>,
    by: Vec<String>,
}

struct Search {
    reached: Vec<Reached>,
    known: HashSet<u64>,
    open: VecDeque<(usize, World, Host)>,
    choices: Choices,
}

impl Search {
    fn add(&mut self, before: Option<usize>, by: Vec<String>, world: World, host: Host) {
        if self.known.insert(fingerprint(&(&world, &host))) {
            self.reached.push(Reached { before, by });
            self.open.push_back((self.reached.len() - 1, world, host));
        }
    }

    /// How a state was reached, from the beginning.
    fn story(&self, state: usize) -> String {
        let mut steps = Vec::new();
        let mut at = Some(state);
        while let Some(reached) = at.map(|at| &self.reached[at]) {
            steps.push(reached.by.join("\n"));
            at = reached.before;
        }
        steps.reverse();
        steps.join("\n")
    }

    /// All turns of the driver that there can be from here; whether one of them changes something.
    fn turn(
        &mut self,
        state: usize,
        (world, host): (&World, &Host),
        attends: bool,
        ticks: bool,
    ) -> bool {
        let before = fingerprint(&(world, host));
        let mut has_changed = false;
        loop {
            let (mut world, mut host) = (world.clone(), host.clone());
            self.choices.begin(fingerprint(&(&host, attends, ticks)));
            self.choices
                .tell(|| format!("the driver's turn: attends {attends}, ticks {ticks}"));
            let mut turn = Turn {
                host: &mut host,
                system: System {
                    world: &mut world,
                    choices: &mut self.choices,
                },
            };
            turn.run(attends, ticks);
            if !self.choices.is_over {
                has_changed |= fingerprint(&(&world, &host)) != before;
                let told = std::mem::take(&mut self.choices.told);
                self.add(Some(state), told, world, host);
            }
            if !self.choices.go_on() {
                return has_changed;
            }
        }
    }
}

/// Goes through everything that can happen.
fn explore(climate: Climate, wishes: &[Wish]) {
    let mut search = Search {
        reached: Vec::new(),
        known: HashSet::new(),
        open: VecDeque::new(),
        choices: Choices::default(),
    };
    let world = World::new(climate, wishes);
    search.add(
        None,
        vec!["the queue is made".to_owned()],
        world,
        Host::default(),
    );
    while let Some((state, world, host)) = search.open.pop_front() {
        let mut is_stuck = true;
        for (process, what) in world.moves() {
            let mut next = world.clone();
            next.make(process, what);
            let stage = world.processes[process].stage;
            let told = format!("{process} ({stage:?}) {what:?}");
            search.add(Some(state), vec![told], next, host.clone());
            is_stuck = false;
        }
        if let Some(wish) = world.wishes.front() {
            let mut next = world.clone();
            next.wish();
            let told = format!("the user: {wish:?}");
            search.add(Some(state), vec![told], next, host.clone());
            is_stuck = false;
        }
        if Turn::is_over(&host, &world) {
            if is_stuck {
                let alive = world.alive();
                assert!(
                    alive.is_empty(),
                    "{}\nstill there: {alive:?}",
                    search.story(state)
                );
            }
            continue;
        }
        let mut next = world.clone();
        let attends = std::mem::take(&mut next.has_event);
        if attends || !world.actions.is_empty() {
            search.turn(state, (&next, &host), attends, false);
            is_stuck = false;
        } else if host.life.is_some() && !host.is_watched {
            // The driver's own deadline, which comes again and again.
            if is_stuck {
                // It is to be seen whether that still leads to something.
                search.choices = Choices::default();
            }
            is_stuck &= !search.turn(state, (&next, &host), true, false);
        }
        if let Some(at) = world.machine.scheduler.next_wakeup() {
            next.now = next.now.max(at);
            search.turn(state, (&next, &host), attends, true);
            is_stuck = false;
        }
        assert!(
            !is_stuck,
            "{}\nnothing happens any more: {world:#?}\n{host:#?}",
            search.story(state)
        );
    }
}

/// What a user may do, each step at any time.
const KILL: &[Wish] = &[Wish::Kill];
const OTHERS: [&[Wish]; 3] = [
    &[Wish::Close],
    &[Wish::Close, Wish::Kill],
    &[Wish::Push, Wish::Close],
];

const CRASHES: Climate = Climate {
    faults: 1,
    has_zygote: false,
    lacks_pidfds: false,
};
const SECOND_QUEUE: Climate = Climate {
    faults: 0,
    has_zygote: true,
    lacks_pidfds: false,
};
const NO_PIDFDS: Climate = Climate {
    faults: 0,
    has_zygote: false,
    lacks_pidfds: true,
};

#[test]
fn a_queue_that_is_killed_or_closed_at_any_time_ends() {
    for wishes in [KILL].into_iter().chain(OTHERS) {
        explore(Climate::default(), wishes);
    }
}

#[test]
fn so_does_one_where_the_kernel_tells_of_no_death() {
    for wishes in [KILL].into_iter().chain(OTHERS) {
        explore(NO_PIDFDS, wishes);
    }
}

#[test]
fn so_does_one_whose_supervisor_comes_from_the_zygote_of_another_queue() {
    explore(SECOND_QUEUE, KILL);
}

#[test]
fn so_does_one_of_which_a_process_crashes_or_is_stopped_meanwhile() {
    explore(CRASHES, KILL);
}

#[test]
#[ignore = "takes minutes: a hundred thousand states and more"]
fn so_do_these_two_in_whichever_way_they_are_ended() {
    for wishes in OTHERS {
        explore(SECOND_QUEUE, wishes);
        explore(CRASHES, wishes);
    }
}
