//! The facilities for which there is a fallback, and the one switch that turns them off for tests.
//!
//! `TASKQ_WITHOUT=pidfd,memfd` makes this process (and those that inherit its environment) behave as if the kernel had
//! neither. Whether the kernel really has a facility is found out where it is used.

use std::sync::OnceLock;

/// A facility that not every Unix (or not every Linux) has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Descriptors of processes; the fallback asks again and again.
    Pidfd,
    /// Nameless memory files; the fallback is an unlinked temporary file.
    Memfd,
    /// Sessions forked from the supervisor; the fallback starts each from its program.
    Fork,
    /// Adoption of orphans; the fallback looks for their tags.
    Subreaper,
    /// A signal at the parent's death; the fallback is the watch on the parent alone.
    ParentDeathSignal,
}

const NAMES: [(Feature, &str); 5] = [
    (Feature::Pidfd, "pidfd"),
    (Feature::Memfd, "memfd"),
    (Feature::Fork, "fork"),
    (Feature::Subreaper, "subreaper"),
    (Feature::ParentDeathSignal, "pdeathsig"),
];

/// Whether `feature` may be used: false when `TASKQ_WITHOUT` names it. The variable is read once.
#[must_use]
pub fn available(feature: Feature) -> bool {
    static WITHOUT: OnceLock<Vec<Feature>> = OnceLock::new();
    let without =
        WITHOUT.get_or_init(|| parse(&std::env::var("TASKQ_WITHOUT").unwrap_or_default()));
    !without.contains(&feature)
}

fn parse(list: &str) -> Vec<Feature> {
    let words = list.split(',').map(str::trim);
    words
        .filter_map(|word| NAMES.iter().find(|(_, name)| *name == word))
        .map(|(feature, _)| *feature)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_with_blanks_and_unknown_words() {
        assert_eq!(
            parse("pidfd, fork,,teleport"),
            [Feature::Pidfd, Feature::Fork]
        );
        assert_eq!(parse(""), []);
        for (feature, name) in NAMES {
            assert_eq!(parse(name), [feature]);
        }
    }
}
