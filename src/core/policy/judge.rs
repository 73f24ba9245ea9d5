//! From a ruling to the last step: what is stored, whether the operation goes on, and what the person is told.

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use super::active::{Active, Ruling, Said};
use super::message;
use super::observed::Seen;
use crate::event::Kind;
use crate::origin::Origin;
use crate::verdict::{Action, Verdict};

/// Whoever saw an event, asked for more where that matters.
pub trait Witness {
    /// An origin, kept for as long as it is needed.
    type Kept: Deref<Target = Origin>;

    /// Who caused the event.
    fn origin(&self) -> Option<Self::Kept>;
    /// The person's answer to `question`.
    fn ask(&self, question: &str) -> Answer;
    /// Who tells of the event.
    fn source(&self) -> Source {
        Source::Audit
    }
    /// Whether there is a record of the operation already: then there is another one only where a rule speaks.
    fn is_told(&self) -> bool {
        false
    }
}

/// Who tells of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An audit event of CPython's.
    Audit,
    /// A call into the C library that was redirected.
    Native,
}

/// Where there is nobody to ask, knowing the origin is enough.
impl<F: Fn() -> Option<Rc<Origin>>> Witness for F {
    type Kept = Rc<Origin>;

    fn origin(&self) -> Option<Rc<Origin>> {
        self()
    }

    fn ask(&self, _question: &str) -> Answer {
        Answer::Nobody
    }
}

/// What a person answered to the question for a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Given(String),
    Refused,
    /// There is nobody to ask.
    Nobody,
    /// They interrupted the program instead; how is told to it already.
    Interrupted,
}

/// What whoever saw the event has to do now that it is recorded.
#[derive(Debug, Default)]
#[must_use]
pub enum Outcome {
    #[default]
    Go,
    /// Tell the person, and go on.
    Warn(String),
    /// Let the operation fail.
    Stop(Box<Stop>),
    /// The same, for a reason that the program knows already.
    Interrupted,
}

/// Why an operation is to fail.
#[derive(Debug)]
pub struct Stop {
    pub kind: Kind,
    /// The whole text, of several lines.
    pub message: String,
    /// As `policy/rule`, then what that says.
    pub rule: String,
    pub why: String,
    pub link: String,
    pub owner: String,
    /// The file, program, host or module, as the program asked for it.
    pub name: Vec<u8>,
    /// The file of a module.
    pub file: Vec<u8>,
}

/// One event that was decided on.
pub struct Case<'a> {
    pub kind: Kind,
    pub seen: &'a Seen<'a>,
    pub origin: Option<&'a Origin>,
}

/// What became of it.
pub struct Judgement {
    ruling: Ruling,
    reason: Option<Arc<str>>,
    is_stopped: bool,
    pub outcome: Outcome,
}

impl Judgement {
    /// The last step for an event on which `ruling` was made.
    #[must_use]
    pub fn of(active: &Active, ruling: Ruling, case: &Case<'_>, witness: &impl Witness) -> Self {
        let plain = Self { ruling, reason: None, is_stopped: false, outcome: Outcome::Go };
        let Some((rule, said)) = ruling.enforced.and_then(|rule| Some((rule, ruling.said(rule)?))) else {
            return plain;
        };
        match said.action {
            Action::Allow => plain,
            Action::Warn => {
                let is_new = active.is_to_be_told(said.name, case.origin.map_or(0, |origin| origin.hash));
                let outcome = if is_new { Outcome::Warn(case.warning(&said)) } else { Outcome::Go };
                Self { outcome, ..plain }
            }
            Action::Deny => Self { is_stopped: true, outcome: case.stop(&said, false), ..plain },
            Action::Justify => match reason(active, active.justification(ruling, rule), case, &said, witness)
            {
                Answer::Given(reason) => Self { reason: Some(Arc::from(reason)), ..plain },
                Answer::Refused | Answer::Nobody => {
                    Self { is_stopped: true, outcome: case.stop(&said, true), ..plain }
                }
                Answer::Interrupted => Self { is_stopped: true, outcome: Outcome::Interrupted, ..plain },
            },
        }
    }

    /// Whether the operation is to fail.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// As it is stored; `None` where no rule spoke.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict<'_>> {
        let verdict = self.ruling.verdict()?;
        Some(Verdict { is_stopped: self.is_stopped, reason: self.reason.as_deref(), ..verdict })
    }
}

/// The reason that the person gives, or gave before, which is `known`.
fn reason(
    active: &Active,
    known: Option<Option<Arc<str>>>,
    case: &Case<'_>,
    said: &Said<'_>,
    witness: &impl Witness,
) -> Answer {
    match known {
        Some(Some(given)) => return Answer::Given(given.to_string()),
        Some(None) => return Answer::Refused,
        None => {}
    }
    let question = message::question(&case.doing(), &message::place(case.origin), said);
    let answer = witness.ask(&question);
    match &answer {
        Answer::Given(reason) => active.answered(said.name, Some(reason)),
        Answer::Refused => active.answered(said.name, None),
        Answer::Nobody | Answer::Interrupted => {}
    }
    answer
}

impl Case<'_> {
    fn doing(&self) -> String {
        message::doing(self.kind, self.seen)
    }

    fn warning(&self, said: &Said<'_>) -> String {
        message::warning(&self.doing(), &message::place(self.origin), said)
    }

    fn stop(&self, said: &Said<'_>, is_to_be_justified: bool) -> Outcome {
        let place = message::place(self.origin);
        let name = self.seen.requested.as_ref().or(self.seen.target.as_ref());
        Outcome::Stop(Box::new(Stop {
            kind: self.kind,
            message: message::denial(&self.doing(), &place, said, is_to_be_justified),
            rule: said.name.to_owned(),
            why: said.message.to_owned(),
            link: said.link.to_owned(),
            owner: said.owner.to_owned(),
            name: name.map(|name| name.to_vec()).unwrap_or_default(),
            file: self.seen.destination.as_deref().unwrap_or_default().to_vec(),
        }))
    }
}
