//! What makes a process recognisable, however far it strayed: see [`tag`].

use crate::tag;

/// What a process's environment may be searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It belongs to the queue with this token.
    Queue(String),
    /// It descends from the session with this tag.
    Session(String),
    /// It descends from a session whose tag starts so: one of a supervisor's sessions.
    SessionOf(String),
}

impl Mark {
    fn variable(&self) -> &'static str {
        match self {
            Mark::Queue(_) => tag::QUEUE,
            Mark::Session(_) | Mark::SessionOf(_) => tag::SESSION,
        }
    }

    fn is(&self, word: &[u8]) -> bool {
        match self {
            Mark::Queue(token) | Mark::Session(token) => word == token.as_bytes(),
            Mark::SessionOf(start) => word.starts_with(start.as_bytes()),
        }
    }

    /// Whether `environment` (entries that end with NUL) has this mark.
    pub(super) fn is_in(&self, environment: &[u8]) -> bool {
        let name = self.variable().as_bytes();
        environment
            .split(|byte| *byte == 0)
            .filter_map(|entry| entry.strip_prefix(name)?.strip_prefix(b"="))
            .any(|value| value.split(|byte| *byte == b' ').any(|word| self.is(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_whole_words() {
        let environment = b"A=x\0TASKQ_QUEUE=outer inner\0TASKQ_SESSION=q.1.20      \0";
        let queue = |word: &str| Mark::Queue(word.into()).is_in(environment);
        assert!(queue("outer") && queue("inner"));
        assert!(!queue("out") && !queue("outer inner") && !queue(""));
        assert!(Mark::Session("q.1.20".into()).is_in(environment));
        assert!(!Mark::Session("q.1.2".into()).is_in(environment));
        assert!(Mark::SessionOf("q.1.".into()).is_in(environment));
        assert!(!Mark::SessionOf("q.2.".into()).is_in(environment));
    }
}
