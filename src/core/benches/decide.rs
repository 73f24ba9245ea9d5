//! What a decision alone costs, without Python, records and the file system: `cargo bench -p gnomon-core`.
//! With the names of compiled policies as arguments it measures those too, beside one without any rule.
#![expect(clippy::expect_used, clippy::panic, reason = "a bench ends where it cannot measure")]

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use gnomon_core::event::{Access, Kind};
use gnomon_core::policy::compile::compile;
use gnomon_core::policy::facts::{Facts, Who};
use gnomon_core::policy::image::Image;
use gnomon_core::policy::observed::{Seen, facts};
use gnomon_core::policy::parse;

const EVENTS: u32 = 20_000;
const ROUNDS: usize = 15;
const FORMS: usize = 10;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with("--")).collect();
    let folder = tempfile::tempdir().expect("a directory for policies");
    let mut images = vec![("no rules".to_owned(), image("", folder.path()))];
    images.push(("10 rules".to_owned(), image(&rules(10), folder.path())));
    images.push(("10,000 rules".to_owned(), image(&with_list(&rules(10_000), folder.path()), folder.path())));
    images.extend(given.into_iter().map(|path| {
        let opened = Image::open(Path::new(&path)).unwrap_or_else(|why| panic!("`{path}` is {}", why.name()));
        (path, opened)
    }));
    println!("{:.1} ns to ask where the path of a file leads", resolution(folder.path()));
    println!("{:<10} {:>14} {:>14}", "event", "policy", "ns a decision");
    for (event, made) in
        [("open", open as fn(u32) -> _), ("resolve", resolve), ("connect", connect), ("import", import)]
    {
        for (name, nanoseconds) in medians(&images, made) {
            println!("{event:<10} {name:>14} {nanoseconds:>14.1}");
        }
    }
}

/// For files in a directory that is remembered: one system call each, which finds no link.
fn resolution(folder: &Path) -> f64 {
    use std::os::unix::ffi::OsStrExt as _;
    let paths: Vec<_> = (0..500).map(|number| folder.join(format!("report-{number:06}.csv"))).collect();
    let links = gnomon_core::links::Links::default();
    let round = |_| {
        let start = Instant::now();
        for path in &paths {
            black_box(links.resolve(path.as_os_str().as_bytes(), true, 1));
        }
        start.elapsed().as_nanos() as f64 / 500.0
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// Of several rounds in turn, so that a busy machine slows all of them alike.
fn medians(images: &[(String, Image)], event: fn(u32) -> Facts<'static>) -> Vec<(&str, f64)> {
    let events: Vec<Facts<'_>> = (0..EVENTS).map(event).collect();
    let mut who = Who::of_account("ann", 1000, &["staff".to_owned()]);
    who.add(gnomon_core::policy::field::Field::Script, b"/home/ann/report.py");
    let mut rounds = vec![Vec::new(); images.len()];
    for _ in 0..ROUNDS {
        for ((_, image), times) in images.iter().zip(&mut rounds) {
            let classes = image.classes_of(&who);
            let start = Instant::now();
            for facts in &events {
                black_box(image.decide(black_box(facts), &classes));
            }
            times.push(start.elapsed().as_nanos() as f64 / f64::from(EVENTS));
        }
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    images.iter().map(|(name, _)| name.as_str()).zip(rounds.into_iter().map(median)).collect()
}

fn open(number: u32) -> Facts<'static> {
    let path = format!("/srv/nothing/here/{:02}/report-{number:06}.csv", number % 50).into_bytes();
    let seen = Seen { target: Some(path.into()), access: Access::READ, ..Seen::default() };
    facts(Kind::Open, 1, seen, Some(b"/home/ann"))
}

fn resolve(number: u32) -> Facts<'static> {
    let host = Some(format!("host-{number}.somewhere.example.org").into());
    facts(Kind::Resolve, 1, Seen { host, port: Some(443), ..Seen::default() }, None)
}

fn connect(number: u32) -> Facts<'static> {
    let address = Some(std::net::Ipv4Addr::from(0xAC14_0000 + number).into());
    facts(Kind::Connect, 1, Seen { address, port: Some(443), ..Seen::default() }, None)
}

fn import(number: u32) -> Facts<'static> {
    let module = format!("package_{}.module_{number}", number % 50).into_bytes();
    facts(Kind::Import, 1, Seen { target: Some(module.into()), ..Seen::default() }, None)
}

fn image(text: &str, folder: &Path) -> Image {
    let path = folder.join("policy.toml");
    std::fs::write(&path, text).expect("a policy written");
    let parsed = parse::parse_file(&path);
    assert!(parsed.layer.is_some(), "{:?}", parsed.diagnostics);
    let layers: Vec<_> = parsed.layer.into_iter().collect();
    Image::from_bytes(compile(&layers)).unwrap_or_else(|why| panic!("a policy that is {}", why.name()))
}

fn with_list(rules: &str, folder: &Path) -> String {
    let hosts = (0..100_000).map(|number| format!("h{number}.blocked-{}.example\n", number % 977));
    std::fs::write(folder.join("hosts.txt"), hosts.collect::<String>()).expect("a list written");
    let list = "[lists]\nblocked = { file = \"hosts.txt\" }\n";
    format!("{list}[[rule]]\nid = \"blocked\"\nhost = \"@blocked\"\naction = \"deny\"\n{rules}")
}

/// Rules of every form in turn, as benches/policies.py has them.
fn rules(count: usize) -> String {
    (0..count).map(rule).collect()
}

fn rule(n: usize) -> String {
    let forms: [String; FORMS] = [
        format!("path = \"/data/dept-{n}/\"\naccess = \"write\"\naction = \"deny\""),
        format!("path = \"*.form{n}\"\naction = \"warn\""),
        format!(
            "event = \"network\"\nhost = [\"svc{n}.example.com\", \".zone{n}.example.net\"]\naction = \"deny\"\nmode = \"observe\""
        ),
        format!("event = \"connect\"\naddress = \"10.{}.{}.0/24\"\naction = \"deny\"", n / 250, n % 250),
        format!("program = [\"tool{n}\", \"/opt/tools/{n}/\"]\naction = \"justify\""),
        format!("module = \"package{n}.internal\"\naction = \"deny\""),
        format!("event = \"network\"\norigin = \"library-{n}\"\nport = \"8000-8999\"\naction = \"warn\""),
        format!("path = \"/data/shared/\"\nuser = \"account-{n}\"\naction = \"deny\""),
        format!("path = \"**/secret-{n}-*/*.key\"\naction = \"deny\""),
        format!("url = \"https://api{n}.example.com/v1/*\"\nscript = \"/opt/reports/\"\naction = \"warn\""),
    ];
    let form = forms.get(n % FORMS).map(String::as_str).unwrap_or_default();
    format!("[[rule]]\nid = \"r{n}\"\n{form}\n")
}
