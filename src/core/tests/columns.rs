//! Streams of some columns say what the stream of all says, whatever their form.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader as _, StringArray};
use arrow_schema::DataType;
use gnomon_core::columns::{BatchStream, Depth, Form, Projection, names};
use gnomon_core::event::{Access, Event, FilePath, Kind, Target};
use gnomon_core::filter::Filter;
use gnomon_core::interest::Interest;
use gnomon_core::origin::Origin;
use gnomon_core::pipeline::Recorder;
use gnomon_core::process::{Description, new_id};
use gnomon_core::spool::format::{CHECKED_FROM, HEAD_BYTES, at, read_u32};

/// A spool of `processes` that each open and delete files, from a few places, in several segments.
fn spool_of(processes: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for process in 0..processes {
        let description = Description::of_this_process(process as u64 + 1);
        let recorder =
            Recorder::new(folder.path(), new_id(None), description, Arc::new(Interest::default()), None)
                .with_first_segment(4096);
        recorder.open().unwrap();
        for number in 0..300 {
            let origin = Origin {
                file: format!("/srv/scripts/{}.py", number % 3).into_bytes(),
                line: number % 7,
                distribution: (number % 3 == 1).then(|| "requests 2.33.0".to_owned()),
                ..Origin::default()
            };
            let path = FilePath::current(Cow::Owned(format!("/data/{process}/{number}.csv").into_bytes()));
            let kind = if number % 10 == 9 { Kind::Delete } else { Kind::Open };
            let event =
                Event { access: Access::READ, ..Event::new(kind, Target::Path { path, destination: None }) };
            let origin = Some(Rc::new(origin.hashed()));
            let _ = recorder.record(&event, 1, &|| origin.clone());
        }
        recorder.end(Some(0));
    }
    folder
}

fn stream(spool: &Path, kinds: &[Kind], projection: Projection) -> BatchStream {
    let filter = Filter { kinds: kinds.to_vec(), ..Filter::default() };
    BatchStream::new(spool.to_owned(), filter, projection, 2)
}

fn read(spool: &Path, kinds: &[Kind], projection: Projection) -> Vec<RecordBatch> {
    stream(spool, kinds, projection).map(Result::unwrap).collect()
}

/// The column called `name`, dictionaries spelled out, as text.
fn column(batches: &[RecordBatch], name: &str) -> Vec<String> {
    batches.iter().flat_map(|batch| shown(batch.column_by_name(name).unwrap())).collect()
}

fn shown(column: &ArrayRef) -> Vec<String> {
    let text = |values: &StringArray, row: usize| {
        if values.is_valid(row) { values.value(row).to_owned() } else { "null".to_owned() }
    };
    match column.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let values = dictionary.values().as_string::<i32>();
            assert_eq!(values.null_count(), 0);
            let keys = dictionary.keys();
            keys.iter().map(|key| key.map_or("null".to_owned(), |key| text(values, key as usize))).collect()
        }
        DataType::Utf8 => (0..column.len()).map(|row| text(column.as_string(), row)).collect(),
        _ => (0..column.len()).map(|row| format!("{:?}", column.slice(row, 1))).collect(),
    }
}

#[test]
fn a_column_is_the_same_alone_and_among_all_and_in_both_forms() {
    let folder = spool_of(3);
    let all = read(folder.path(), &[], Projection::all(Form::Plain));
    assert_eq!(all.iter().map(RecordBatch::num_rows).sum::<usize>(), 3 * 301);
    for name in names() {
        let expected = column(&all, name);
        for form in [Form::Plain, Form::Dictionary] {
            let alone = read(folder.path(), &[], Projection::named(form, &[name]).unwrap());
            assert_eq!(alone[0].num_columns(), 1);
            assert_eq!(column(&alone, name), expected, "{name} {form:?}");
        }
    }
}

#[test]
fn columns_come_in_the_order_of_the_schema_and_unknown_ones_are_named() {
    let projection = Projection::named(Form::Plain, &["file", "time", "kind"]).unwrap();
    let schema = projection.schema();
    let found: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(found, ["time", "kind", "file"]);
    assert_eq!(Projection::named(Form::Plain, &["time", "colour"]).unwrap_err(), "colour");
    let head = ["process", "seq", "pid", "count", "source", "bytes_out"];
    assert_eq!(Projection::named(Form::Plain, &head).unwrap().depth(), Depth::Head);
    assert_eq!(Projection::named(Form::Plain, &["count", "access"]).unwrap().depth(), Depth::Payload);
}

#[test]
fn no_column_at_all_still_counts_the_rows() {
    let folder = spool_of(1);
    let batches = read(folder.path(), &[Kind::Delete], Projection::named(Form::Plain, &[]).unwrap());
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 30);
}

#[test]
fn a_stream_that_is_asked_for_its_schema_alone_reads_nothing() {
    let missing = PathBuf::from("/nonexistent/spool");
    let mut stream = stream(&missing, &[], Projection::all(Form::Dictionary));
    assert_eq!(stream.schema().fields().len(), names().count());
    let error = stream.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("cannot read spool `/nonexistent/spool`"), "{error}");
    assert!(stream.next().is_none());
}

#[test]
fn the_payload_of_a_kind_that_nobody_asked_for_is_not_looked_at() {
    let folder = spool_of(1);
    let (path, offset) = first_of(folder.path(), Kind::Open);
    let mut bytes = std::fs::read(&path).unwrap();
    let length = read_u32(&bytes, offset).unwrap() as usize;
    bytes[offset + HEAD_BYTES] = 0xC1; // never used in MessagePack
    let checksum = crc32fast::hash(&bytes[offset + CHECKED_FROM..offset + length]);
    bytes[offset + at::CHECKSUM..offset + at::CHECKSUM + 4].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let faults = |kinds: &[Kind], columns: &[&str]| {
        let mut stream = stream(folder.path(), kinds, Projection::named(Form::Plain, columns).unwrap());
        let rows: usize = stream.by_ref().map(|batch| batch.unwrap().num_rows()).sum();
        (rows, stream.faults.len())
    };
    assert_eq!(faults(&[Kind::Open], &["target"]), (269, 1));
    assert_eq!(faults(&[Kind::Delete], &["target"]), (30, 0));
    assert_eq!(faults(&[Kind::Open], &["count"]), (270, 0));
}

/// The first record of `kind` in `spool`: its file, and where it stands there.
fn first_of(spool: &Path, kind: Kind) -> (PathBuf, usize) {
    use gnomon_core::spool::reader::{SegmentFile, segment_paths};
    let paths = segment_paths(spool, &Filter::default()).unwrap();
    let mut places = paths.iter().filter_map(|path| {
        let segment = SegmentFile::load(path).ok()?;
        let raw = segment.records().flatten().find(|raw| raw.kind == kind as u16)?;
        Some((path.clone(), raw.offset))
    });
    places.next().unwrap()
}
