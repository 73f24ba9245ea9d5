//! What is folded is what one gets by looking at record after record.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array as _, RecordBatch};
use gnomon_core::columns::for_each_event;
use gnomon_core::event::{Access, Event, FilePath, Kind, Target};
use gnomon_core::filter::Filter;
use gnomon_core::fold::{Classes, FileStream, Fold, Question, Run, SHARE_BYTES};
use gnomon_core::interest::Interest;
use gnomon_core::pipeline::Recorder;
use gnomon_core::process::{Description, new_id};
use gnomon_core::record::View;
use gnomon_core::spool::reader::{SegmentFile, segment_paths};
use gnomon_core::text::{Pieces, push_escaped};
use proptest::prelude::*;
use uuid::Uuid;

/// What a program does: a kind, how it opens, a path and another.
type Step = (Kind, u8, Vec<u8>, Vec<u8>);

fn path() -> impl Strategy<Value = Vec<u8>> {
    ("[a-b]{1,14}/[a-c]{1,2}", prop::option::weighted(0.1, 0x80_u8..)).prop_map(|(text, odd)| {
        let mut path = format!("/{text}").into_bytes();
        path.extend(odd);
        path
    })
}

fn step() -> impl Strategy<Value = Step> {
    let kinds = [Kind::Open, Kind::Delete, Kind::Rename, Kind::Link, Kind::Mkdir, Kind::Import, Kind::Copy];
    (prop::sample::select(kinds.to_vec()), 0_u8..16, path(), path())
}

/// Records what each process did, and says whose runs they are: of two actors of one script, and of one of another.
fn record(spool: &Path, processes: &[Vec<Step>]) -> HashMap<Uuid, Run> {
    let mut runs = HashMap::new();
    for (number, steps) in processes.iter().enumerate() {
        let id = new_id(None);
        let description = Description::of_this_process(number as u64 + 1);
        let recorder = Recorder::new(spool, id, description, Arc::new(Interest::default()), None)
            .with_first_segment(4096);
        recorder.open().unwrap();
        for (kind, access, path, other) in steps {
            let path = FilePath::current(Cow::Borrowed(path));
            let has_other = matches!(kind, Kind::Rename | Kind::Link | Kind::Copy);
            let destination = has_other.then(|| FilePath::current(Cow::Borrowed(other)));
            let access = if *kind == Kind::Open { Access(*access) } else { Access::default() };
            let event = Event { access, ..Event::new(*kind, Target::Path { path, destination }) };
            let _ = recorder.record(&event, 1, &|| None);
        }
        recorder.end(Some(0));
        let actor = number as i32 % 3;
        let script = if actor == 2 { "other" } else { "one" };
        runs.insert(id, Run { actor, script: script.into(), script_path: Some("/a/a".into()) });
    }
    runs
}

/// Runs, reads, writes, deletes, renames and changes, by actor and path.
type Uses = BTreeMap<(i32, String), [i64; 6]>;

fn text(pieces: Pieces<'_>) -> String {
    let mut text = String::new();
    push_escaped(&mut text, &pieces.to_vec());
    text
}

fn expected(spool: &Path, runs: &HashMap<Uuid, Run>) -> Uses {
    let (mut uses, mut seen) = (Uses::new(), BTreeSet::new());
    for path in segment_paths(spool, &Filter::default()).unwrap() {
        let segment = SegmentFile::load(&path).unwrap();
        let id = segment.identity.process;
        let Some(run) = runs.get(&id) else { continue };
        let mut add = |path: Option<Pieces<'_>>, index: usize, view: &View<'_>| {
            let key = (run.actor, text(path.unwrap()));
            let figures = uses.entry(key.clone()).or_default();
            figures[0] += i64::from(seen.insert((id, key)));
            if index > 0 {
                figures[index] += i64::from(view.count);
            }
        };
        for_each_event(&segment, &Filter::default(), &mut Vec::new(), |view| {
            match Kind::from_number(view.kind).unwrap() {
                Kind::Open => {
                    let is_own = view.access.0 == 1 && text(view.target.unwrap()) == "/a/a";
                    if !is_own {
                        add(view.target, 0, view);
                    }
                    if view.access.has(Access::READ) && !is_own {
                        add(view.target, 1, view);
                    }
                    if view.access.changes() {
                        add(view.target, 2, view);
                    }
                }
                Kind::Delete => add(view.target, 3, view),
                Kind::Rename => {
                    add(view.target, 4, view);
                    add(view.destination, 2, view);
                }
                Kind::Copy => {
                    add(view.target, 1, view);
                    add(view.destination, 2, view);
                }
                Kind::Link => add(view.destination, 5, view),
                Kind::Mkdir => add(view.target, 5, view),
                _ => {}
            }
        });
    }
    uses
}

fn uses_of(batches: &[RecordBatch]) -> Uses {
    let mut uses = Uses::new();
    for batch in batches {
        let numbers = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().clone();
        let figures = ["runs", "reads", "writes", "deletes", "renames", "changes"].map(numbers);
        let actors = batch.column_by_name("actor").unwrap().as_primitive::<Int32Type>();
        let paths = batch.column_by_name("path").unwrap().as_string::<i32>();
        for row in 0..batch.num_rows() {
            let figure = |column: &arrow_array::Int64Array| {
                if column.is_valid(row) { column.value(row) } else { 0 }
            };
            let key = (actors.value(row), paths.value(row).to_owned());
            assert_eq!(uses.insert(key, figures.each_ref().map(figure)), None, "a row stands twice");
        }
    }
    uses
}

fn question(spool: &Path, runs: HashMap<Uuid, Run>, top: usize, share_bytes: u64) -> Question {
    let sources = vec![(spool.to_owned(), Filter::default())];
    Question { sources, runs, classes: Classes::default(), endings: Vec::new(), top, share_bytes }
}

/// Files, read, written, deleted.
fn counts_of(uses: &Uses, actors: &[i32]) -> [i64; 4] {
    let of = |index: usize| {
        let is_it = |((actor, _), figures): &(&(i32, String), &[i64; 6])| {
            actors.contains(actor) && (index == 0 || figures[index] > 0)
        };
        uses.iter().filter(is_it).map(|((_, path), _)| path).collect::<BTreeSet<_>>().len() as i64
    };
    [0, 1, 2, 3].map(of)
}

fn sums_of(batches: &[RecordBatch], script: &str) -> [i64; 4] {
    let mut sums = [0; 4];
    for batch in batches.iter().filter(|batch| batch.column(0).as_string::<i32>().value(0) == script) {
        for (index, sum) in sums.iter_mut().enumerate() {
            *sum += batch.column(index + 1).as_primitive::<Int64Type>().value(0);
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn files_are_counted_as_record_after_record_tells(
        processes in prop::collection::vec(prop::collection::vec(step(), 0..60), 1..6),
        share_bytes in prop::sample::select(vec![2000, SHARE_BYTES]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let runs = record(folder.path(), &processes);
        let expected = expected(folder.path(), &runs);
        let asked = Arc::new(question(folder.path(), runs, usize::MAX, share_bytes));
        let all: Vec<RecordBatch> = FileStream::new(Arc::clone(&asked), 2).map(Result::unwrap).collect();
        prop_assert_eq!(&uses_of(&all), &expected);
        let fold = Fold::read(&asked, 2).unwrap();
        prop_assert_eq!(&uses_of(&fold.files.batches), &expected);
        for (script, actors) in [("one", &[0, 1][..]), ("other", &[2])] {
            prop_assert_eq!(sums_of(&fold.file_counts.batches, script), counts_of(&expected, actors), "{}", script);
        }
    }
}

#[test]
fn of_many_files_those_are_notable_that_were_used_most() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| (Kind::Open, 1, name.as_bytes().to_vec(), Vec::new());
    let steps = ["/d/b", "/d/a", "/d/c", "/d/c", "/e/model.gguf", "/d/e"].map(open).to_vec();
    let runs = record(folder.path(), &[steps.clone(), steps]);
    let mut asked = question(folder.path(), runs, 2, SHARE_BYTES);
    asked.endings.push(".gguf".to_owned());
    let fold = Fold::read(&asked, 1).unwrap();
    let found: BTreeSet<(i32, String)> = uses_of(&fold.files.batches).into_keys().collect();
    let wanted = ["/d/a", "/d/c", "/e/model.gguf"];
    let expected = wanted.iter().flat_map(|path| [(0, (*path).to_owned()), (1, (*path).to_owned())]);
    assert_eq!(found, expected.collect());
}

#[test]
fn a_spool_that_cannot_be_listed_is_an_error() {
    let missing = Path::new("/nonexistent/spool");
    let asked = Arc::new(question(missing, HashMap::new(), 1, SHARE_BYTES));
    assert!(Fold::read(&asked, 2).is_err());
    assert!(FileStream::new(asked, 2).next().unwrap().is_err());
}
