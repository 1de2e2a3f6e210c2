//! Agents and clients: they come, say that they are alive, and end; and what users want of the queue as a whole.

use crate::call::{Held, Refusal, Reply};
use crate::config::{OLDEST_PROTOCOL, PROTOCOL};
use crate::names::Incarnation;
use crate::queue::{Member, MemberRole};
use crate::tables::Tables;
use crate::task::{LostReason, State};

use super::Turn;

impl<T: Tables> Turn<'_, T> {
    pub(super) fn attach(
        &mut self,
        incarnation: Incarnation,
        role: &MemberRole,
        leased: bool,
        protocol: u32,
        about: &str,
    ) -> Result<Reply, Refusal> {
        if !(OLDEST_PROTOCOL..=PROTOCOL).contains(&protocol) {
            return Err(Refusal::Protocol {
                theirs: protocol,
                ours: PROTOCOL,
            });
        }
        match self.tables.member(incarnation)? {
            // A repeated call; one that has ended does not come back to life.
            Some(Member { ended: None, .. }) => {}
            Some(_) => return Err(Refusal::UnknownMember),
            None => self.tables.set_member(&Member {
                incarnation,
                role: role.clone(),
                lease: leased.then(|| self.queue.elapsed + self.queue.ttl),
                request: 0,
                drain: false,
                ended: None,
                about: about.into(),
            })?,
        }
        Ok(Reply::Fine)
    }

    pub(super) fn leave(&mut self, incarnation: Incarnation) -> Result<Reply, Refusal> {
        if let Some(mut member) = self.tables.member(incarnation)? {
            member.ended.get_or_insert(LostReason::Closed);
            self.tables.set_member(&member)?;
            self.go_on()?;
        }
        Ok(Reply::Fine)
    }

    pub(super) fn renew(
        &mut self,
        incarnation: Incarnation,
        request: u64,
        held: &[Held],
    ) -> Result<Reply, Refusal> {
        let mut member = self.member(incarnation)?;
        if member.lease.is_some() {
            member.lease = Some(self.queue.elapsed + self.queue.ttl);
            self.tables.set_member(&member)?;
        }
        self.take_back(incarnation, request, held)?;
        self.go_on()?;
        let (mut cancel, mut gone) = (Vec::new(), Vec::new());
        for &held in held {
            let task = self.tables.task(held.task)?;
            match task.map(|task| task.state) {
                Some(State::Claimed(claim)) if claim.nonce == held.nonce => {
                    if claim.cancel {
                        cancel.push(held);
                    }
                }
                _ => gone.push(held),
            }
        }
        Ok(Reply::Renewed {
            cancel,
            gone,
            drain: member.drain,
            version: self.queue.version,
            paused: self.queue.paused,
        })
    }

    pub(super) fn pause(&mut self, paused: bool, version: u64) -> Result<Reply, Refusal> {
        if self.queue.paused != paused {
            self.change(version)?;
            self.queue.paused = paused;
        }
        Ok(Reply::Fine)
    }

    pub(super) fn replace(
        &mut self,
        settings: &[u8],
        max_waiting: u64,
        version: u64,
    ) -> Result<Reply, Refusal> {
        let is_new = *self.queue.settings != *settings;
        if is_new || self.queue.max_waiting != max_waiting {
            self.change(version)?;
            self.queue.max_waiting = max_waiting;
            self.queue.settings = settings.into();
            self.queue.generation += u64::from(is_new);
        }
        Ok(Reply::Fine)
    }

    pub(super) fn drain(&mut self, agent: Incarnation) -> Result<Reply, Refusal> {
        let mut member = self.member(agent)?;
        member.drain = true;
        self.tables.set_member(&member)?;
        Ok(Reply::Fine)
    }

    /// Changes the queue's record, if that is the one which the caller has seen: a late copy of a call undoes nothing.
    fn change(&mut self, version: u64) -> Result<(), Refusal> {
        if self.queue.version != version {
            return Err(Refusal::Outdated {
                version: self.queue.version,
            });
        }
        self.queue.version += 1;
        Ok(())
    }
}
