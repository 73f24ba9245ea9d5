//! The records of a segment as events: what is asked for, and what could not be read on the way.

use crate::event::Kind;
use crate::filter::Filter;
use crate::process::{Description, Script, ScriptVerdict};
use crate::record::View;
use crate::spool::fault::Fault;
use crate::spool::reader::SegmentFile;
use crate::spool::records::{Keeps, Records};
use crate::text::Pieces;

/// How much of a record is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What stands before the payload: times, count, kind. A payload that makes no sense is not noticed.
    Head,
    /// All of it.
    Payload,
}

/// Calls `each` with every event of `segment` that `filter` asks for, and collects what cannot be read.
///
/// The process itself is one of them: in its first segment, with its executable as target and its argv.
pub fn for_each_event(
    segment: &SegmentFile,
    filter: &Filter,
    faults: &mut Vec<Fault>,
    each: impl FnMut(&View<'_>),
) {
    for_each_event_to(Depth::Payload, segment, filter, faults, each);
}

/// The same with no more than `depth` of each, unless `filter` asks for what is below.
pub fn for_each_event_to(
    depth: Depth,
    segment: &SegmentFile,
    filter: &Filter,
    faults: &mut Vec<Fault>,
    each: impl FnMut(&View<'_>),
) {
    if may_match(segment, filter) {
        let depth = if filter.reads_payload() { Depth::Payload } else { depth };
        let records = segment.records();
        let records = if depth == Depth::Head { records.keeping(Keeps::Nothing) } else { records };
        walk(segment, records, depth, filter, faults, each);
    }
}

/// The same for what was added after `offset`, in a segment that may still be written. Returns the offset to
/// go on from.
pub fn for_each_event_after(
    segment: &SegmentFile,
    offset: usize,
    filter: &Filter,
    faults: &mut Vec<Fault>,
    each: impl FnMut(&View<'_>),
) -> usize {
    if may_match(segment, filter) {
        walk(segment, segment.records_from(offset).live(), Depth::Payload, filter, faults, each)
    } else {
        segment.file_bytes()
    }
}

fn may_match(segment: &SegmentFile, filter: &Filter) -> bool {
    let identity = segment.identity;
    let run = filter.run.and_then(|_| segment.description().0?.run);
    !identity.process.is_nil() && filter.matches_process(identity.process, identity.pid, run)
}

fn walk(
    segment: &SegmentFile,
    mut records: Records<'_>,
    depth: Depth,
    filter: &Filter,
    faults: &mut Vec<Fault>,
    mut each: impl FnMut(&View<'_>),
) -> usize {
    let mut matching = |view: &View<'_>| {
        if filter.matches(view) {
            each(view);
        }
    };
    while let Some(item) = records.next() {
        let raw = match item {
            Ok(raw) => raw,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let kind = Kind::from_number(raw.kind);
        if kind.is_some_and(|kind| !kind.is_event()) || !filter.matches_head(kind, raw.last_time) {
            continue;
        }
        let is_description = kind.is_some_and(|kind| matches!(kind, Kind::Process | Kind::Script));
        if is_description && segment.identity.number > 0 {
            continue; // said again at the start of each segment
        }
        let mut view = records.head_view(&raw);
        if depth == Depth::Payload
            && let Err(fault) = records.complete(&mut view, &raw)
        {
            faults.push(fault);
        } else if depth == Depth::Payload && is_description {
            with_description(view, raw.payload, &mut matching);
        } else {
            matching(&view);
        }
    }
    records.offset()
}

/// Shows a process or script record in the columns of an event.
pub(crate) fn with_description(view: View<'_>, payload: &[u8], each: impl FnOnce(&View<'_>)) {
    if view.kind == Kind::Process as u16 {
        let Ok(description) = rmp_serde::from_slice::<Description>(payload) else {
            return;
        };
        let mut view: View<'_> = view;
        view.target = Some(Pieces(&description.executable.0, &[]));
        view.argv = Some(description.argv.iter().map(|text| Pieces(&text.0, &[])).collect());
        each(&view);
    } else if let Ok(script) = rmp_serde::from_slice::<Script>(payload) {
        let mut view: View<'_> = view;
        let name = Pieces(&script.name.0, &[]);
        view.target = Some(script.file.as_ref().map_or(name, |file| Pieces(&file.0, &[])));
        view.requested = Some(name);
        view.verdict = script.verdict.as_ref().and_then(ScriptVerdict::view);
        each(&view);
    }
}
