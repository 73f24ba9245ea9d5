//! What the policies say of an event, before it happens: decided, or known from a moment ago; recorded; and handed back
//! to whoever saw it for the last step.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use crate::event::Kind;
use crate::policy::active::{Active, Ruling, Ticket};
use crate::policy::facts::{Facts, PathFact};
use crate::policy::image::Image;
use crate::policy::judge::{Case, Judgement, Outcome, Stop, Witness};
use crate::policy::observed::{Seen, facts};
use crate::process::{Script, ScriptVerdict};
use crate::record::Draft;
use crate::verdict::{Action, Verdict};

use super::{Cause, Recorder, now, now_coarse};

/// What a record is made of, and what rules look at besides.
pub(super) struct Made<'a> {
    pub draft: Draft<'a>,
    /// Whether it is stored where no rule speaks of it.
    pub keeps: bool,
    /// Whether the file systems of target and destination take upper and lower case for the same.
    pub folds: [bool; 2],
    /// Other files that it may be about instead.
    pub others: Vec<Vec<u8>>,
    /// Of an imported module: normalised name and version.
    pub distribution: Option<(String, String)>,
}

impl<'a> Made<'a> {
    pub fn kept(draft: Draft<'a>) -> Self {
        Self { draft, keeps: true, folds: [false; 2], others: Vec::new(), distribution: None }
    }
}

/// What became of an event.
#[derive(Debug, Default)]
#[must_use]
pub struct Settled {
    pub outcome: Outcome,
    /// Of the record that stands for it, for [`Recorder::tally`]; 0 where there is none.
    pub key: u64,
}

impl Settled {
    /// It may go on, and the record with this key counts it.
    pub(super) fn go(key: u64) -> Self {
        Self { outcome: Outcome::Go, key }
    }
}

impl Recorder {
    /// The policies, if any of their rules is about events of `kind`.
    #[inline]
    pub(super) fn governs(&self, kind: Kind) -> Option<&Active> {
        self.policy.get().filter(|active| active.concerns(kind))
    }

    /// The policies that the process is under.
    #[must_use]
    pub fn policy(&self) -> Option<&Active> {
        self.policy.get()
    }

    /// Counts a repeat of the operation that `key` stands for, if nothing else is to be done about it.
    #[inline]
    pub(super) fn settled_before(&self, kind: Kind, key: u64) -> Option<Settled> {
        match self.governs(kind) {
            Some(active) => self.known_to_pass(active, key),
            None => self.has_repeated(key).then(|| Settled::go(key)),
        }
    }

    /// The operation that `key` stands for, if it may go on, as was decided a moment ago, and is recorded or need not be;
    /// `None` where something is to be done.
    fn known_to_pass(&self, active: &Active, key: u64) -> Option<Settled> {
        let (ruling, keeps) = active.remembered(key, now_coarse())?;
        let under = key_under(key, ruling);
        let passes = ruling.lets_pass() && (!keeps || self.has_repeated(under));
        passes.then(|| Settled::go(if keeps { under } else { 0 }))
    }

    /// Counts a repeat of the operation that `key` stands for, or stores what `make` makes of it, after the policies
    /// have had their say.
    #[inline]
    pub(super) fn settle<'a>(
        &self,
        kind: Kind,
        key: u64,
        cause: Cause<'_>,
        witness: &impl Witness,
        make: impl FnOnce(Option<&Active>) -> Made<'a>,
    ) -> Settled {
        match self.settled_before(kind, key) {
            Some(settled) => settled,
            None => self.settle_new(kind, key, cause, witness, make),
        }
    }

    /// The same for what is not settled, as was asked before.
    pub(super) fn settle_new<'a>(
        &self,
        kind: Kind,
        key: u64,
        cause: Cause<'_>,
        witness: &impl Witness,
        make: impl FnOnce(Option<&Active>) -> Made<'a>,
    ) -> Settled {
        if let Some(active) = self.governs(kind) {
            return self.rule_on_new(active, kind, key, cause, witness, || make(Some(active)));
        }
        let made = make(None);
        if made.keeps {
            self.store_first(kind, key, &made.draft, witness.source());
        }
        Settled::go(if made.keeps { key } else { 0 })
    }

    pub(super) fn rule<'a>(
        &self,
        active: &Active,
        kind: Kind,
        key: u64,
        cause: Cause<'_>,
        witness: &impl Witness,
        make: impl FnOnce() -> Made<'a>,
    ) -> Settled {
        match self.known_to_pass(active, key) {
            Some(settled) => settled,
            None => self.rule_on_new(active, kind, key, cause, witness, make),
        }
    }

    fn rule_on_new<'a>(
        &self,
        active: &Active,
        kind: Kind,
        key: u64,
        cause: Cause<'_>,
        witness: &impl Witness,
        make: impl FnOnce() -> Made<'a>,
    ) -> Settled {
        let now = now_coarse();
        let known = active.remembered(key, now);
        let made = make();
        let seen = seen(&made.draft);
        let ruling = match known {
            Some((ruling, _)) => ruling,
            None => active.decide(&facts_of(active, kind, now, seen.clone(), &made, &self.links)),
        };
        let judgement =
            Judgement::of(active, ruling, &Case { kind, seen: &seen, origin: cause.origin }, witness);
        let verdict = judgement.verdict();
        let speaks = verdict.is_some_and(|verdict| speaks(&verdict));
        self.spoken.fetch_add(u64::from(speaks), Relaxed);
        let keeps = made.keeps && !witness.is_told() || speaks;
        if known.is_none() {
            active.remember(key, ruling, keeps, now);
        }
        // What was stopped and what went on, with a reason, are not one record.
        let key = key_under(key, ruling) ^ u64::from(judgement.is_stopped());
        if keeps && !self.has_repeated(key) {
            self.store_first(kind, key, &Draft { verdict, ..made.draft }, witness.source());
        }
        Settled { outcome: judgement.outcome, key: if keeps { key } else { 0 } }
    }

    /// Takes up policies that were replaced, whatever the event: those in force may say nothing of it.
    #[inline]
    pub(super) fn take_up_policies(&self) {
        let Some(active) = self.policy.get() else { return };
        for (path, state, sha256) in active.refresh(now_coarse()) {
            self.note_policy(&path, state, sha256);
            self.begin_part(); // a rule's number stands for another rule now
        }
    }

    /// Puts the process under `image` too, which the program itself asks for and which records call `path`; where it
    /// was under none, `first` says who it is. `None` where there are too many.
    pub fn enforce(
        &self,
        path: &Path,
        image: Image,
        justification: Option<&str>,
        first: impl FnOnce() -> Active,
    ) -> Option<Ticket> {
        let sha256 = image.sha256();
        let active = self.policy.get_or_init(|| {
            let active = first();
            if let Some(script) = self.script.try_lock().and_then(|script| script.clone()) {
                let home = active.surroundings().home.as_deref();
                active.set_who(|who| who.set_script(&self.resolved(&script), home));
            }
            active
        });
        let ticket = active.add(path.to_owned(), image, justification)?;
        self.note_policy(path, "loaded", Some(sha256));
        self.begin_part();
        Some(ticket)
    }

    /// How often a rule other than one that allows spoke so far: where this has not changed, no record tells of one
    /// but those of earlier parts.
    #[must_use]
    pub fn spoken(&self) -> u64 {
        self.spoken.load(Relaxed)
    }

    /// Ends what [`Recorder::enforce`] began. Returns what it was called; `None` where there is nothing to end.
    pub fn release(&self, ticket: Ticket) -> Option<PathBuf> {
        let source = self.policy.get()?.remove(ticket)?;
        self.note_policy(&source.path, "ended", source.sha256());
        self.begin_part();
        Some(source.path.clone())
    }

    fn resolved(&self, script: &Script) -> Script {
        let mut resolved = script.clone();
        if let Some(file) = &mut resolved.file {
            file.0 = self.links.resolve(&file.0, true, now_coarse()).path.into_owned();
        }
        resolved
    }

    /// Stores which policies the process is under.
    pub(super) fn note_policies(&self) {
        for source in self.policy.get().into_iter().flat_map(Active::sources) {
            self.note_policy(&source.path, source.state(), source.sha256());
        }
    }

    /// Stores that the policy at `path` is in this state from now on.
    pub fn note_policy(&self, path: &Path, state: &str, sha256: Option<[u8; 32]>) {
        use std::os::unix::ffi::OsStrExt as _;
        let target = Some(path.as_os_str().as_bytes().into());
        let detail = Some(state.as_bytes().into());
        self.store(Kind::Policy, &Draft { target, detail, sha256, ..Draft::default() }, now());
    }

    /// Notes that the process runs these start-up files, for what rules say of scripts; none when they are over.
    pub fn runs_startup_files(&self, files: &[Vec<u8>]) {
        let Some(active) = self.policy.get() else { return };
        let Some(mut known) = self.startup_files.try_lock().filter(|known| **known != files) else { return };
        files.clone_into(&mut known);
        let real = |file: &Vec<u8>| self.links.resolve(file, true, now_coarse()).path.into_owned();
        let mut all = files.to_vec();
        all.extend(files.iter().map(real).filter(|file| !files.contains(file)));
        let home = active.surroundings().home.as_deref();
        active.set_who(|who| who.set_startup_files(&all, home));
    }

    /// Notes what the process runs from now on, and says whether it may.
    pub fn run(&self, mut script: Script, witness: &impl Witness) -> Outcome {
        let outcome = match self.policy.get() {
            Some(active) => self.rule_on_script(active, &mut script, witness),
            None => Outcome::Go,
        };
        self.set_script(script);
        outcome
    }

    fn rule_on_script(&self, active: &Active, script: &mut Script, witness: &impl Witness) -> Outcome {
        let resolved = self.resolved(script);
        if resolved.file != script.file {
            script.resolved.clone_from(&resolved.file);
        }
        let home = active.surroundings().home.as_deref();
        active.set_who(|who| who.set_script(&resolved, home));
        let name = script.file.as_ref().unwrap_or(&script.name).0.clone();
        if active.is_closed() {
            script.verdict = Some(ScriptVerdict {
                is_stopped: true,
                action: Action::Deny as u8,
                ..ScriptVerdict::default()
            });
            return Outcome::Stop(Box::new(no_policy(active, name)));
        }
        if !active.concerns(Kind::Script) {
            return Outcome::Go;
        }
        let ruling = active.decide(&Facts::new(Kind::Script, now()));
        let seen = Seen { target: Some(name.into()), ..Seen::default() };
        let judgement =
            Judgement::of(active, ruling, &Case { kind: Kind::Script, seen: &seen, origin: None }, witness);
        script.verdict = judgement.verdict().map(|verdict| stored(&verdict));
        judgement.outcome
    }
}

/// Why nothing runs where the policy is missing that must be there.
fn no_policy(active: &Active, name: Vec<u8>) -> Stop {
    let refused = active.sources().iter().find(|source| source.sha256().is_none());
    let which = refused.map(|source| format!("{} is {}", source.path.display(), source.state()));
    let why =
        format!("the policy {}, and its owner wants nothing to run without it", which.unwrap_or_default());
    Stop {
        kind: Kind::Script,
        message: format!("running {} was stopped: {why}", String::from_utf8_lossy(&name)),
        rule: String::new(),
        why,
        link: String::new(),
        owner: String::new(),
        name,
        file: Vec::new(),
    }
}

fn stored(verdict: &Verdict<'_>) -> ScriptVerdict {
    ScriptVerdict {
        action: verdict.action as u8,
        rule: verdict.rule.map(str::to_owned),
        is_stopped: verdict.is_stopped,
        reason: verdict.reason.map(str::to_owned),
        shadow: verdict.shadow.map(|(action, rule)| (action as u8, rule.to_owned())),
    }
}

/// Whether a verdict is worth a record where nothing else is.
fn speaks(verdict: &Verdict<'_>) -> bool {
    verdict.action > Action::Allow || verdict.shadow.is_some_and(|(action, _)| action > Action::Allow)
}

/// The key of a record that carries `ruling`.
fn key_under(key: u64, ruling: Ruling) -> u64 {
    key ^ ruling.number().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What rules see of the record that `draft` makes.
fn seen<'a>(draft: &'a Draft<'_>) -> Seen<'a> {
    fn borrowed<'a, T: ToOwned + ?Sized>(
        text: &'a Option<std::borrow::Cow<'_, T>>,
    ) -> Option<std::borrow::Cow<'a, T>> {
        text.as_deref().map(std::borrow::Cow::Borrowed)
    }
    let origin = draft.origin;
    Seen {
        access: draft.access,
        target: borrowed(&draft.target),
        destination: borrowed(&draft.destination),
        requested: borrowed(&draft.requested),
        host: borrowed(&draft.host),
        address: draft.address,
        port: draft.port,
        argv: draft.argv.unwrap_or_default().iter().map(|text| std::borrow::Cow::Borrowed(&**text)).collect(),
        distribution: origin.and_then(|origin| origin.distribution.as_deref()).map(Into::into),
        via: origin.and_then(|origin| origin.via.as_deref()).map(Into::into),
    }
}

/// The facts of an event that is about to happen: what a record has, and what only now can be known.
fn facts_of<'a>(
    active: &Active,
    kind: Kind,
    now: u64,
    seen: Seen<'a>,
    made: &'a Made<'_>,
    links: &crate::links::Links,
) -> Facts<'a> {
    let mut facts = facts(kind, now, seen, active.surroundings().home.as_deref());
    for (fact, folds) in facts.paths.iter_mut().zip(made.folds) {
        fact.folds = folds;
    }
    if kind == Kind::Symlink
        && let Some(fact) = facts.paths.first_mut()
    {
        let found = links.resolve(&fact.path, true, now);
        fact.path = found.path.into_owned().into();
    }
    for other in &made.others {
        let like_first = facts.paths.first().cloned().unwrap_or_default();
        facts.paths.push(PathFact { path: other.as_slice().into(), ..like_first });
    }
    facts.distribution =
        made.distribution.as_ref().map(|(name, version)| (name.as_str().into(), version.as_str().into()));
    facts
}
