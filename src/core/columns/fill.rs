//! Fills batches: one filler a column, each of which takes of a record what it shows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder as _, ListBuilder, PrimitiveBuilder, StringBuilder, TimestampNanosecondBuilder,
};
use arrow_array::types::{ArrowPrimitiveType, Int32Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::ArrowError;

use super::{Form, Projection};
use crate::errno;
use crate::process::hex;
use crate::record::{OriginView, View};
use crate::text::Pieces;

/// Bytes of a path, on average.
const PATH_BYTES: usize = 48;

/// Takes one column's part of each record.
trait Fill: Send {
    fn push(&mut self, view: &View<'_>);
    /// The column of `rows` records.
    fn finish(&mut self, rows: usize) -> ArrayRef;
}

/// A column.
enum Filler {
    Process,
    Pid,
    Origin(OriginTexts),
    Record(Box<dyn Fill>),
}

/// Fills one batch.
pub struct Columns {
    projection: Projection,
    fillers: Vec<Filler>,
    has_origins: bool,
    origins: Origins,
    /// The process that each row is of: its text, its pid and the row at which it ends.
    processes: Vec<(String, u32, usize)>,
    pub rows: usize,
}

impl Columns {
    /// Columns with room for `rows`: growing as they fill costs a copy of everything at each doubling.
    pub fn with_capacity(projection: &Projection, rows: usize) -> Self {
        let fillers: Vec<Filler> =
            projection.columns.iter().map(|(name, ..)| filler(name, projection.form, rows)).collect();
        Self {
            projection: projection.clone(),
            has_origins: fillers.iter().any(|filler| matches!(filler, Filler::Origin(_))),
            fillers,
            origins: Origins::default(),
            processes: Vec::new(),
            rows: 0,
        }
    }

    /// What is pushed from here on is of another segment.
    pub fn begin_segment(&mut self, process: String, pid: u32) {
        self.origins.places.clear();
        self.origins.last = None;
        self.processes.push((process, pid, self.rows));
    }

    pub fn push(&mut self, view: &View<'_>) {
        self.rows += 1;
        if let Some((.., end)) = self.processes.last_mut() {
            *end = self.rows;
        }
        let is_new = self.has_origins && self.origins.push(view);
        for filler in &mut self.fillers {
            match filler {
                Filler::Record(filler) => filler.push(view),
                Filler::Origin(texts) if is_new => texts.push(&view.origin),
                Filler::Process | Filler::Pid | Filler::Origin(_) => {}
            }
        }
    }

    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        let Self { projection, fillers, origins, processes, rows, .. } = self;
        let columns = fillers.into_iter().map(|filler| match filler {
            Filler::Process => process_column(&processes, projection.form),
            Filler::Pid => pid_column(&processes),
            Filler::Origin(texts) => texts.finish(&origins, projection.form),
            Filler::Record(mut filler) => filler.finish(rows),
        });
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(projection.schema(), columns.collect(), &options)
    }
}

fn process_column(processes: &[(String, u32, usize)], form: Form) -> ArrayRef {
    let mut texts = Dictionary::default();
    let mut keys: Vec<i32> = Vec::new();
    for (process, _, end) in processes {
        keys.resize(*end, texts.key(Pieces(process.as_bytes(), &[])));
    }
    texts.finish(keys, form)
}

fn pid_column(processes: &[(String, u32, usize)]) -> ArrayRef {
    let mut pids: Vec<u32> = Vec::new();
    for (_, pid, end) in processes {
        pids.resize(*end, *pid);
    }
    Arc::new(UInt32Array::from(pids))
}

/// The filler of the column called `name`.
fn filler(name: &str, form: Form, rows: usize) -> Filler {
    Filler::Record(match name {
        "process" => return Filler::Process,
        "pid" => return Filler::Pid,
        "file" => return OriginTexts::filler(|origin| origin.file),
        "function" => return OriginTexts::filler(|origin| origin.function),
        "distribution" => return OriginTexts::filler(|origin| origin.distribution),
        "via" => return OriginTexts::filler(|origin| origin.via),
        "object" => return OriginTexts::filler(|origin| origin.object),
        "time" => times(rows, |view| view.time),
        "last_time" => times(rows, |view| view.last_time),
        "count" => numbers::<UInt32Type>(rows, |view| Some(view.count)),
        "seq" => numbers::<UInt64Type>(rows, |view| Some(view.seq)),
        "port" => numbers::<UInt16Type>(rows, |view| view.port),
        "size" => numbers::<UInt64Type>(rows, |view| view.size),
        "line" => numbers::<UInt32Type>(rows, |view| view.origin.line),
        "failed" => {
            numbers::<UInt32Type>(rows, |view| view.told().map(|_| view.tally.unwrap_or_default().failed))
        }
        "bytes_out" => numbers::<UInt64Type>(rows, |view| {
            view.tally.map(|tally| tally.bytes_out).filter(|bytes| *bytes != 0)
        }),
        "bytes_in" => numbers::<UInt64Type>(rows, |view| {
            view.tally.map(|tally| tally.bytes_in).filter(|bytes| *bytes != 0)
        }),
        "target" => Box::new(Targets(Texts::with_capacity(rows, PATH_BYTES))),
        "destination" => texts(rows, |view, put| view.destination.map(put)),
        "requested" => texts(rows, |view, put| view.requested.map(put)),
        "reason" => texts(rows, |view, put| view.verdict?.reason.map(put)),
        "sha256" => {
            texts(rows, |view, put| view.sha256.map(|digest| put(Pieces(hex(digest).as_bytes(), &[]))))
        }
        "argv" => Box::new(Commands(ListBuilder::with_capacity(StringBuilder::new(), 0))),
        "kind" => words(form, rows, |view| Some(view.kind_name())),
        "access" => words(form, rows, |view| (view.access.0 != 0).then(|| Cow::Borrowed(view.access.name()))),
        "address" => words(form, rows, |view| view.address.map(|address| address.to_string().into())),
        "source" => words(form, rows, |view| Some(Cow::Borrowed(view.source()))),
        "outcome" => words(form, rows, |view| view.outcome()),
        "errno" => words(form, rows, |view| {
            view.tally.filter(|tally| tally.errno != 0).map(|tally| errno::name(tally.errno))
        }),
        "verdict" => words(form, rows, |view| Some(Cow::Borrowed(view.verdict?.action.name()))),
        "shadow_verdict" => words(form, rows, |view| Some(Cow::Borrowed(view.verdict?.shadow?.0.name()))),
        "host" => shared(form, rows, |view, put| view.host.map(put)),
        "detail" => shared(form, rows, |view, put| view.detail.map(put)),
        "rule" => shared(form, rows, |view, put| view.verdict?.rule.map(put)),
        _ => shared(form, rows, |view, put| view.verdict?.shadow.map(|(_, rule)| put(rule))), // shadow_rule
    })
}

/// What native code or policy did not tell costs nothing but a count, until the next value.
struct Times<F>(TimestampNanosecondBuilder, F);

fn times(rows: usize, of: impl Fn(&View<'_>) -> u64 + Send + 'static) -> Box<dyn Fill> {
    Box::new(Times(TimestampNanosecondBuilder::with_capacity(rows).with_timezone("UTC"), of))
}

impl<F: Fn(&View<'_>) -> u64 + Send> Fill for Times<F> {
    fn push(&mut self, view: &View<'_>) {
        self.0.append_value((self.1)(view).cast_signed());
    }

    fn finish(&mut self, _rows: usize) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Numbers. Rows without one are filled in by the next that has.
struct Numbers<T: ArrowPrimitiveType, F> {
    values: PrimitiveBuilder<T>,
    rows: usize,
    of: F,
}

fn numbers<T: ArrowPrimitiveType>(
    rows: usize,
    of: impl Fn(&View<'_>) -> Option<T::Native> + Send + 'static,
) -> Box<dyn Fill> {
    Box::new(Numbers { values: PrimitiveBuilder::<T>::with_capacity(rows), rows: 0, of })
}

impl<T: ArrowPrimitiveType, F: Fn(&View<'_>) -> Option<T::Native> + Send> Fill for Numbers<T, F> {
    fn push(&mut self, view: &View<'_>) {
        if let Some(value) = (self.of)(view) {
            let missing = self.rows - self.values.len();
            if missing > 0 {
                self.values.append_nulls(missing);
            }
            self.values.append_value(value);
        }
        self.rows += 1;
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        self.values.append_nulls(rows - self.values.len());
        Arc::new(self.values.finish())
    }
}

/// Text that is nearly always another. Rows without any are filled in by the next that has.
struct Texts {
    values: StringBuilder,
    rows: usize,
}

impl Texts {
    fn with_capacity(rows: usize, bytes: usize) -> Self {
        Self { values: StringBuilder::with_capacity(if bytes > 0 { rows } else { 0 }, rows * bytes), rows: 0 }
    }

    fn append(&mut self, text: Pieces<'_>) {
        self.values.append_nulls(self.rows - self.values.len());
        text.push_to(&mut self.values);
        self.values.append_value(""); // ends the value that was pushed
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        self.values.append_nulls(rows - self.values.len());
        Arc::new(self.values.finish())
    }
}

/// What to do with the text of a record, called at most once: so it may be made on the spot.
type Put<'a> = &'a mut dyn FnMut(Pieces<'_>);

struct RecordTexts<F>(Texts, F);

fn texts(rows: usize, of: impl Fn(&View<'_>, Put<'_>) -> Option<()> + Send + 'static) -> Box<dyn Fill> {
    Box::new(RecordTexts(Texts::with_capacity(rows, 0), of))
}

impl<F: Fn(&View<'_>, Put<'_>) -> Option<()> + Send> Fill for RecordTexts<F> {
    fn push(&mut self, view: &View<'_>) {
        let Self(texts, of) = self;
        of(view, &mut |text| texts.append(text));
        texts.rows += 1;
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        self.0.finish(rows)
    }
}

/// What records act on: a path, or an endpoint that is put together.
struct Targets(Texts);

impl Fill for Targets {
    fn push(&mut self, view: &View<'_>) {
        if let Some(target) = view.target {
            self.0.append(target);
        } else {
            let mut endpoint = String::new();
            if view.push_target_to(&mut endpoint) {
                self.0.append(Pieces(endpoint.as_bytes(), &[]));
            }
        }
        self.0.rows += 1;
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        self.0.finish(rows)
    }
}

/// Command lines.
struct Commands(ListBuilder<StringBuilder>);

impl Fill for Commands {
    fn push(&mut self, view: &View<'_>) {
        let Some(argv) = &view.argv else { return self.0.append_null() };
        for text in argv {
            text.push_to(self.0.values());
            self.0.values().append_value("");
        }
        self.0.append(true);
    }

    fn finish(&mut self, _rows: usize) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}

/// Texts, each of them once, by number.
#[derive(Default)]
struct Dictionary {
    values: StringBuilder,
    known: HashMap<Box<[u8]>, i32, foldhash::fast::RandomState>,
    /// The last that was looked up.
    last: Vec<u8>,
    last_key: i32,
}

/// Stands for no text among the numbers of texts.
const NONE: i32 = -1;

impl Dictionary {
    /// The number of `text`.
    fn key(&mut self, text: Pieces<'_>) -> i32 {
        let is_last = !self.known.is_empty()
            && self.last.len() == text.0.len() + text.1.len()
            && self.last.starts_with(text.0)
            && self.last.ends_with(text.1);
        if !is_last {
            self.last.clear();
            self.last.extend_from_slice(text.0);
            self.last.extend_from_slice(text.1);
            self.last_key = match self.known.get(self.last.as_slice()) {
                Some(key) => *key,
                None => self.add(text),
            };
        }
        self.last_key
    }

    fn add(&mut self, text: Pieces<'_>) -> i32 {
        let key = self.known.len() as i32; // there are no more than rows
        self.known.insert(self.last.as_slice().into(), key);
        text.push_to(&mut self.values);
        self.values.append_value("");
        key
    }

    /// The column of the texts with these numbers.
    fn finish(mut self, keys: Vec<i32>, form: Form) -> ArrayRef {
        if form == Form::Dictionary && self.known.is_empty() {
            self.values.append_value(""); // DuckDB 1.4 takes the first value of a dictionary for granted
        }
        let values = self.values.finish();
        match form {
            Form::Plain => Arc::new(plain(&keys, &values)),
            Form::Dictionary => {
                let keys: Int32Array = if keys.contains(&NONE) {
                    keys.into_iter().map(|key| (key != NONE).then_some(key)).collect()
                } else {
                    keys.into()
                };
                Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(values)))
            }
        }
    }
}

fn plain(keys: &[i32], values: &StringArray) -> StringArray {
    if values.is_empty() {
        return StringArray::new_null(keys.len());
    }
    let text = |key: &i32| usize::try_from(*key).ok().map(|key| values.value(key));
    let bytes = keys.iter().filter_map(text).map(str::len).sum();
    let mut column = StringBuilder::with_capacity(keys.len(), bytes);
    keys.iter().for_each(|key| column.append_option(text(key)));
    column.finish()
}

/// Text that stands in the record and repeats.
struct Shared<F> {
    dictionary: Dictionary,
    keys: Vec<i32>,
    form: Form,
    of: F,
}

fn shared(
    form: Form,
    rows: usize,
    of: impl Fn(&View<'_>, Put<'_>) -> Option<()> + Send + 'static,
) -> Box<dyn Fill> {
    Box::new(Shared { dictionary: Dictionary::default(), keys: Vec::with_capacity(rows), form, of })
}

/// Words of a few, most of which are in the program itself.
struct Words<F> {
    dictionary: Dictionary,
    keys: Vec<i32>,
    form: Form,
    /// The last word, if it is such a one: told by where it stands, as that is what most rows have.
    last: Option<(&'static str, i32)>,
    of: F,
}

fn words(
    form: Form,
    rows: usize,
    of: impl Fn(&View<'_>) -> Option<Cow<'static, str>> + Send + 'static,
) -> Box<dyn Fill> {
    let dictionary = Dictionary::default();
    Box::new(Words { dictionary, keys: Vec::with_capacity(rows), form, last: None, of })
}

impl<F: Fn(&View<'_>) -> Option<Cow<'static, str>> + Send> Fill for Words<F> {
    fn push(&mut self, view: &View<'_>) {
        let key = match ((self.of)(view), self.last) {
            (None, _) => NONE,
            (Some(Cow::Borrowed(word)), Some((last, key))) if std::ptr::eq(word, last) => key,
            (Some(word), _) => {
                let key = self.dictionary.key(Pieces(word.as_bytes(), &[]));
                self.last = if let Cow::Borrowed(word) = word { Some((word, key)) } else { None };
                key
            }
        };
        self.keys.push(key);
    }

    fn finish(&mut self, _rows: usize) -> ArrayRef {
        std::mem::take(&mut self.dictionary).finish(std::mem::take(&mut self.keys), self.form)
    }
}

impl<F: Fn(&View<'_>, Put<'_>) -> Option<()> + Send> Fill for Shared<F> {
    fn push(&mut self, view: &View<'_>) {
        let Self { dictionary, of, .. } = self;
        let mut key = NONE;
        of(view, &mut |text| key = dictionary.key(text));
        self.keys.push(key);
    }

    fn finish(&mut self, _rows: usize) -> ArrayRef {
        std::mem::take(&mut self.dictionary).finish(std::mem::take(&mut self.keys), self.form)
    }
}

/// Which origin each row has. Many rows have the same: their texts are looked at once.
#[derive(Default)]
struct Origins {
    /// Of the rows.
    keys: Vec<u32>,
    count: u32,
    /// By the place in the segment that is being read.
    places: HashMap<Option<u32>, u32, foldhash::fast::FixedState>,
    last: Option<(Option<u32>, u32)>,
}

impl Origins {
    /// Notes the origin of a row; whether it is a new one.
    fn push(&mut self, view: &View<'_>) -> bool {
        let place = view.origin_place;
        let known = match self.last {
            Some((last, key)) if last == place => Some(key),
            _ => self.places.get(&place).copied(),
        };
        let key = known.unwrap_or(self.count);
        if known.is_none() {
            self.places.insert(place, key);
            self.count += 1;
        }
        self.last = Some((place, key));
        self.keys.push(key);
        known.is_none()
    }
}

/// One text of the origins.
struct OriginTexts {
    dictionary: Dictionary,
    /// The text's number, by the origin's.
    of_origin: Vec<i32>,
    of: for<'a> fn(&OriginView<'a>) -> Option<Pieces<'a>>,
}

impl OriginTexts {
    fn filler(of: for<'a> fn(&OriginView<'a>) -> Option<Pieces<'a>>) -> Filler {
        Filler::Origin(Self { dictionary: Dictionary::default(), of_origin: Vec::new(), of })
    }

    fn push(&mut self, origin: &OriginView<'_>) {
        self.of_origin.push((self.of)(origin).map_or(NONE, |text| self.dictionary.key(text)));
    }

    fn finish(self, origins: &Origins, form: Form) -> ArrayRef {
        let key = |origin: &u32| self.of_origin.get(*origin as usize).copied().unwrap_or(NONE);
        self.dictionary.finish(origins.keys.iter().map(key).collect(), form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::VerdictView;
    use crate::verdict::Action;
    use arrow_array::cast::AsArray as _;

    #[test]
    fn rows_without_a_verdict_are_null_before_between_and_after() {
        let deny = VerdictView {
            action: Action::Deny,
            rule: Some(Pieces(b"finance/", b"hr-data")),
            is_stopped: true,
            ..VerdictView::default()
        };
        let observed =
            VerdictView { shadow: Some((Action::Warn, Pieces(b"a/b", &[]))), ..VerdictView::default() };
        let mut columns = Columns::with_capacity(&Projection::all(Form::Plain), 0);
        columns.begin_segment(String::new(), 1);
        for verdict in [None, Some(deny), None, None, Some(observed), None] {
            columns.push(&View { verdict, ..View::default() });
        }
        columns.push(&View { status: Some(-9), ..View::default() });
        let batch = columns.finish().unwrap();
        let of = |name: &str| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            (0..column.len())
                .filter(|row| column.is_valid(*row))
                .map(|row| (row, column.value(row)))
                .collect()
        };
        let expected: [(&str, Vec<(usize, &str)>); 6] = [
            ("outcome", vec![(1, "denied"), (6, "-9")]),
            ("verdict", vec![(1, "deny"), (4, "allow")]),
            ("rule", vec![(1, "finance/hr-data")]),
            ("reason", vec![]),
            ("shadow_verdict", vec![(4, "warn")]),
            ("shadow_rule", vec![(4, "a/b")]),
        ];
        for (name, values) in expected {
            let found: Vec<(usize, &str)> = of(name);
            assert_eq!(found, values, "{name}");
        }
    }
}
