//! What the R thread wants: tasks come in, are promised, and go. It is settled by the [door](crate::door).

use std::collections::HashMap;
use std::sync::Arc;

use taskq_core::id::{TaskId, Time};
use taskq_core::{Input, Submission, SubmitError, TaskPhase, Verdict};
use taskq_payload::payload::Payload;

use super::conditions::Relayed;
use super::record::{Ending, Given, Record, TaskPayload};
use super::{State, Wanted};
use crate::config::EventLoop;

impl State {
    /// Takes a task in. `title`: what pictures call it, when that is not its label.
    pub(crate) fn submit(
        &mut self,
        task: Submission,
        payload: TaskPayload,
        title: Option<Arc<str>>,
        now: Time,
    ) -> Result<TaskId, SubmitError> {
        let timeout = task.options.timeout;
        let given = self.given_to(&task);
        let task = self.sched.submit(now, task)?;
        self.log.submitted(task, &self.sched, now);
        let record = Record {
            title,
            given,
            ..Record::new(payload, timeout)
        };
        self.enter(task, record);
        Ok(task)
    }

    /// The values that a task is given, of which none is there yet. Those of unknown tasks are left out: it is refused.
    fn given_to(&self, task: &Submission) -> Vec<Given> {
        let find = |(argument, label): &(Box<str>, Box<str>)| {
            Some(Given {
                argument: argument.clone(),
                of: self.sched.find(label)?,
                outcome: None,
            })
        };
        task.given.iter().filter_map(find).collect()
    }

    fn enter(&mut self, task: TaskId, record: Record) {
        let is_given = !record.given.is_empty();
        self.records.insert(task, record);
        if is_given {
            self.give(task);
        }
    }

    /// Takes tasks in, all or none.
    pub(crate) fn submit_all(
        &mut self,
        tasks: Vec<(Submission, TaskPayload)>,
        now: Time,
    ) -> Result<(), SubmitError> {
        let (tasks, payloads): (Vec<Submission>, Vec<TaskPayload>) = tasks.into_iter().unzip();
        let beside = |task: &Submission| (task.options.timeout, self.given_to(task));
        let beside: Vec<_> = tasks.iter().map(beside).collect();
        let tasks = self.sched.submit_all(now, tasks)?;
        for &task in &tasks {
            self.log.submitted(task, &self.sched, now);
        }
        let records = payloads.into_iter().zip(beside);
        for (task, (payload, (timeout, given))) in tasks.into_iter().zip(records) {
            let record = Record::new(payload, timeout);
            self.enter(task, Record { given, ..record });
        }
        Ok(())
    }

    /// The number of a new map, from 1, and that of the task that it counts as.
    pub(crate) fn begin_map(&mut self, now: Time) -> Result<(u64, TaskId), SubmitError> {
        self.sched.submit_all(now, Vec::new())?;
        Ok((self.history.next_map(), self.sched.number()))
    }

    /// See [`Queue::reserve_names`](crate::Queue::reserve_names).
    pub(crate) fn reserve_label(&mut self) -> Box<str> {
        self.sched.reserve_label()
    }

    /// See [`Queue::release_names`](crate::Queue::release_names).
    pub(crate) fn release_labels(&mut self, count: usize) {
        self.sched.release_labels(count);
    }

    /// Removes done tasks; none, and false, when one of them is not there or not done.
    pub(crate) fn take(&mut self, tasks: &[TaskId], now: Time) -> bool {
        let is_done = |task: &TaskId| {
            let view = self.sched.task(*task);
            view.is_some_and(|view| view.outcome.is_some())
        };
        let are_done = tasks.iter().all(is_done);
        for &task in tasks.iter().filter(|_| are_done) {
            self.log.popped(task, now);
            self.sched.take(task);
            self.forget(task);
        }
        are_done
    }

    /// The same; none, and false, too, when one of them was claimed.
    pub(crate) fn take_open(&mut self, tasks: &[TaskId], now: Time) -> bool {
        let is_open = |task: &TaskId| self.sched.task(*task).is_some_and(|view| !view.claimed);
        tasks.iter().all(is_open) && self.take(tasks, now)
    }

    /// See [`Queue::tell`](crate::Queue::tell).
    pub(crate) fn tell_of(&mut self, tasks: &[TaskId]) -> bool {
        self.sched.tell(tasks)
    }

    /// These tasks are not asked for any more. What waits goes before what runs: nothing is begun in between.
    pub(crate) fn disown(&mut self, tasks: impl DoubleEndedIterator<Item = TaskId>, now: Time) {
        for task in tasks.rev() {
            self.sched.disown(now, task);
        }
    }

    /// See [`Queue::promise`](crate::Queue::promise).
    pub(crate) fn promise(&mut self, task: TaskId, event_loop: EventLoop) -> bool {
        let is_done = match self.sched.task(task) {
            Some(view) => view.phase == TaskPhase::Done,
            None => return false,
        };
        if !self.sched.claim(task) {
            return false;
        }
        if let Some(record) = self.records.get_mut(&task) {
            record.promised_to = Some(event_loop);
        }
        if is_done {
            self.keep(task);
        }
        if self.num_conditions() > 0 {
            self.to_wake.insert(event_loop);
        }
        true
    }

    /// The R thread signals what has waited longest for it.
    pub(crate) fn next_condition(&mut self) -> Option<Relayed> {
        self.conditions.next()
    }

    /// The R thread could not read it.
    pub(crate) fn put_condition_back(&mut self, condition: Box<Payload>) {
        self.conditions.put_back(condition);
    }

    /// Ends what runs, see [`Input::Cancel`]. Of each task its name, and whether it was not done before.
    pub(crate) fn cancel(
        &mut self,
        tasks: &[TaskId],
        input: Input,
        now: Time,
    ) -> Vec<(String, bool)> {
        let told = |task: &TaskId| {
            let view = self.sched.task(*task)?;
            Some((view.label.to_owned(), view.phase != TaskPhase::Done))
        };
        let ended = tasks.iter().filter_map(told).collect();
        self.input(input, now);
        ended
    }

    /// A task that was handed out has come to its end.
    pub(crate) fn finish_inline(
        &mut self,
        task: TaskId,
        verdict: Verdict,
        ending: Ending,
        began: Time,
        now: Time,
    ) {
        let view = self.sched.task(task);
        let running = view.and_then(|view| view.attempt.zip(view.worker));
        let Some((attempt, worker)) = running else {
            return;
        };
        // There is no timer to say that a task is out of time.
        self.input(Input::Tick, now);
        let input = Input::Finished {
            worker,
            attempt,
            verdict,
            began,
            ended: now,
            memory: None,
            running: None,
        };
        self.end_attempt(task, ending, input, now);
    }

    /// Frees what cannot be asked for any more: what was not promised.
    pub(crate) fn abandon(&mut self) {
        let records = std::mem::take(&mut self.records).into_iter();
        let (promised, others): (_, HashMap<_, _>) =
            records.partition(|(_, record)| record.promised_to.is_some());
        self.records = promised;
        self.freed.extend(others.into_values());
    }

    /// The R thread has heard why the pool has failed.
    pub(crate) fn set_failure_told(&mut self) {
        self.failure_is_told = true;
    }

    /// The R thread waits for this.
    pub(crate) fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }
}
