//! What a failure looks like, as data.

/// Whose words are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `state.waiting` of a container: reason and message.
    Waiting,
    /// How a container ended the last time: reason, and the end of its log.
    Ended,
    /// Condition `PodScheduled` that is False: its message.
    Scheduling,
    /// An event of a pod: reason and message.
    Event,
    /// A condition of a workload or an InferenceService that is not True: reason and message.
    Condition,
    /// An answer of the API server: HTTP code and message.
    Api,
    /// kind's standard error.
    Kind,
    /// What the container engine, or a command in a node, said.
    Engine,
    /// What a download said: HTTP code, or the transport's words.
    Download,
}

/// How long what was seen must last before waiting is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Seconds without a break.
    Seconds(u64),
    /// It may pass by itself: the check's deadline decides, and names the rule.
    Deadline,
}

/// One look of a failure: from whom, with which reason, with which words.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// Whose words.
    pub from: &'static [Source],
    /// One of these is the reason; empty: any.
    pub reasons: &'static [&'static str],
    /// One of these, in lower case, is in the message; empty: any.
    pub texts: &'static [&'static str],
    /// None of these is.
    pub unless: &'static [&'static str],
    /// How long it must last.
    pub patience: Patience,
}

impl Sign {
    /// Any reason; one of these words.
    pub(super) const fn says(from: &'static [Source], texts: &'static [&'static str]) -> Self {
        Self { from, reasons: &[], texts, unless: &[], patience: Patience::Seconds(2) }
    }

    /// One of these reasons, and one of these words where there are any.
    pub(super) const fn because(from: &'static [Source], reasons: &'static [&'static str], texts: &'static [&'static str]) -> Self {
        Self { from, reasons, texts, unless: &[], patience: Patience::Seconds(2) }
    }

    /// But none of these words.
    pub(super) const fn unless(mut self, unless: &'static [&'static str]) -> Self {
        self.unless = unless;
        self
    }

    /// Given up only after so many seconds without a break.
    pub(super) const fn lasting(mut self, seconds: u64) -> Self {
        self.patience = Patience::Seconds(seconds);
        self
    }

    /// Waited for until the check's deadline.
    pub(super) const fn until_deadline(mut self) -> Self {
        self.patience = Patience::Deadline;
        self
    }

    /// `message` in lower case.
    pub(super) fn fits(&self, from: Source, reason: &str, message: &str) -> bool {
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        self.from.contains(&from)
            && (self.reasons.is_empty() || self.reasons.contains(&reason))
            && (self.texts.is_empty() || says(self.texts))
            && !says(self.unless)
    }
}
