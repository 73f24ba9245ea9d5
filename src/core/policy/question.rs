//! An event that nobody did, as a line of text: `open /data/hr/x.csv`. For `gnomon policy explain` and for the
//! examples beside rules.
//!
//! ```text
//! open PATH   open:write PATH   map:read+write PATH          opened so; `read` where nothing is said
//! delete PATH   list PATH   mkdir PATH   …   xattr:read PATH
//! rename FROM TO   copy FROM TO   link EXISTING NEW   symlink EXISTING NEW
//! connect HOST:PORT   connect ADDRESS:PORT   connect [ADDRESS]:PORT   connect unix:PATH   (bind, send)
//! resolve HOST   http [METHOD] URL   request URL
//! import MODULE   import MODULE from DISTRIBUTION==VERSION
//! spawn PROGRAM ARGUMENT…   exec PROGRAM ARGUMENT…
//! script PATH   script -c   script -   script -m MODULE
//! native   native PATH   code   unpickle   fork   …
//! ```
//!
//! Words are divided by spaces, and quoted as a shell has them.

use std::borrow::Cow;
use std::fmt;

use super::facts::{Facts, PathFact, Who};
use super::field::{self, Field, Kinds};
use crate::event::Kind;
use crate::{distributions, hosts, paths};

/// What a text leaves open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Setting<'a> {
    /// What relative paths are relative to; absolute.
    pub directory: &'a [u8],
    /// What `~/` stands for; absolute.
    pub home: Option<&'a [u8]>,
    /// Nanoseconds since 1970 at which it happens.
    pub time: u64,
}

/// Why a text is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUnderstood {
    pub cause: String,
    pub hint: String,
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.cause)
    }
}

impl std::error::Error for NotUnderstood {}

fn not_understood<T>(cause: impl Into<String>, hint: impl Into<String>) -> Result<T, NotUnderstood> {
    Err(NotUnderstood { cause: cause.into(), hint: hint.into() })
}

/// The keys that say who asks, and what an event's text cannot hold.
pub const WHO_KEYS: [&str; 8] =
    ["user", "group", "script", "script_sha256", "origin", "host", "address", "distribution"];

/// The event that `event` describes, done by whom the `key=value` pairs of `who` say.
///
/// # Errors
/// What is not understood, and how it could be said.
pub fn understand(
    event: &str,
    who: &[(String, String)],
    setting: &Setting<'_>,
) -> Result<(Facts<'static>, Who), NotUnderstood> {
    let words = words(event)?;
    let Some((head, rest)) = words.split_first() else {
        return not_understood(
            "there is no event",
            "say one as `open /data/x.csv` or `connect api.example.com:443`",
        );
    };
    let (name, access) =
        head.split_once(':').map_or((head.as_str(), None), |(name, access)| (name, Some(access)));
    let kind = kind_named(name)?;
    let asking = Asking { kind, access: access_of(kind, access)?, words: rest, setting };
    let mut facts = Facts::new(kind, setting.time);
    let mut asker = Who::default();
    asking.target(&mut facts, &mut asker)?;
    for (key, value) in who {
        add_who(&mut facts, &mut asker, key, value, setting)?;
    }
    Ok((facts, asker))
}

/// `text` divided at spaces, but for those within quotes.
fn words(text: &str) -> Result<Vec<String>, NotUnderstood> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (letter, Some(end)) if letter == end => quote = None,
            (letter, Some(_)) => word.get_or_insert_default().push(letter),
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, None) if letter.is_ascii_whitespace() => words.extend(word.take()),
            (letter, None) => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(quote) = quote {
        return not_understood(
            format!("a {quote} is not closed"),
            format!("write `\\{quote}` for one that is no quote"),
        );
    }
    words.extend(word);
    Ok(words)
}

fn kind_named(name: &str) -> Result<Kind, NotUnderstood> {
    let is_known = |kind: &Kind| field::ALL.has(*kind);
    if let Some(kind) = Kind::from_name(name).filter(is_known) {
        return Ok(kind);
    }
    let names = Kind::ALL.into_iter().filter(is_known).map(Kind::name);
    let nearest = names
        .clone()
        .max_by(|one, other| strsim::jaro_winkler(name, one).total_cmp(&strsim::jaro_winkler(name, other)));
    let nearest = nearest.filter(|nearest| strsim::jaro_winkler(name, nearest) > 0.8);
    let hint = match (field::kinds_named(name), nearest) {
        (Some(_), _) => format!("`{name}` is a family of events: name one of them"),
        (None, Some(nearest)) => format!("did you mean `{nearest}`?"),
        (None, None) => format!("it is one of {}", names.collect::<Vec<_>>().join(", ")),
    };
    not_understood(format!("there is no event `{name}`"), hint)
}

/// Whether a file is read and written: as `text` says, or else as events of this kind do.
fn access_of(kind: Kind, text: Option<&str>) -> Result<(bool, bool), NotUnderstood> {
    let Some(text) = text else {
        return Ok(match kind {
            Kind::Open | Kind::Map | Kind::List => (true, false),
            Kind::Database => (true, true),
            kind => (false, field::FILE.has(kind)),
        });
    };
    if !matches!(kind, Kind::Open | Kind::Map | Kind::Xattr) {
        let name = kind.name();
        return not_understood(format!("`{name}` has no access to choose"), format!("say `{name}` alone"));
    }
    let (mut reads, mut writes) = (false, false);
    for word in text.split(['+', ',']) {
        match word {
            "read" => reads = true,
            "write" | "append" | "create" => writes = true,
            _ => {
                let hint = format!("say `{0}:read`, `{0}:write` or `{0}:read+write`", kind.name());
                return not_understood(format!("there is no access `{word}`"), hint);
            }
        }
    }
    Ok((reads, writes))
}

/// Kinds of which no rule can look at the target.
const BARE: Kinds = Kinds::of(&[
    Kind::Fork,
    Kind::Code,
    Kind::Unpickle,
    Kind::Kill,
    Kind::Limit,
    Kind::Setenv,
    Kind::Registry,
    Kind::Tamper,
]);

/// What stands after the event's name.
struct Asking<'a> {
    kind: Kind,
    access: (bool, bool),
    words: &'a [String],
    setting: &'a Setting<'a>,
}

impl Asking<'_> {
    fn target(&self, facts: &mut Facts<'static>, who: &mut Who) -> Result<(), NotUnderstood> {
        match self.kind {
            kind if BARE.has(kind) => self.nothing(),
            Kind::Rename | Kind::Copy | Kind::Link | Kind::Symlink => self.two_paths(facts),
            Kind::Native if self.words.is_empty() => Ok(()),
            Kind::Native => self.one_path(facts),
            kind if field::FILE.has(kind) => self.one_path(facts),
            Kind::Http | Kind::Request => self.url(facts),
            kind if field::NETWORK.has(kind) => self.endpoint(facts),
            Kind::Import => self.module(facts),
            Kind::Spawn | Kind::Exec => self.command(facts),
            _ => self.script(who),
        }
    }

    fn nothing(&self) -> Result<(), NotUnderstood> {
        if self.words.is_empty() {
            return Ok(());
        }
        let name = self.kind.name();
        not_understood(format!("no rule can look at what a `{name}` is about"), format!("say `{name}` alone"))
    }

    fn one_word(&self, what: &str, example: &str) -> Result<&str, NotUnderstood> {
        match self.words {
            [word] if !word.is_empty() => Ok(word),
            [] | [_] => not_understood(
                format!("`{}` needs {what}", self.kind.name()),
                format!("as in `{} {example}`", self.kind.name()),
            ),
            [_, more, ..] => not_understood(
                format!("`{more}` is one word too many after `{}`", self.kind.name()),
                "quote what has spaces in it",
            ),
        }
    }

    fn one_path(&self, facts: &mut Facts<'static>) -> Result<(), NotUnderstood> {
        let path = self.one_word("a path", "/data/x.csv")?;
        facts.paths.push(self.path(path, self.access));
        Ok(())
    }

    fn two_paths(&self, facts: &mut Facts<'static>) -> Result<(), NotUnderstood> {
        let [from, to] = self.words else {
            let name = self.kind.name();
            return not_understood(
                format!("`{name}` needs two paths"),
                format!("as in `{name} /data/x.csv /data/y.csv`; quote what has spaces in it"),
            );
        };
        let from_access = match self.kind {
            Kind::Rename => (false, true),
            _ => (true, false),
        };
        facts.paths.push(self.path(from, from_access));
        facts.paths.push(self.path(to, (false, true)));
        Ok(())
    }

    fn path(&self, text: &str, (reads, writes): (bool, bool)) -> PathFact<'static> {
        let (path, in_home) = self.setting.located(text);
        PathFact { path: Cow::Owned(path), in_home: in_home.map(Cow::Owned), reads, writes, folds: false }
    }

    fn endpoint(&self, facts: &mut Facts<'static>) -> Result<(), NotUnderstood> {
        let word = self.one_word("a host or an address", "api.example.com:443")?;
        if let Some(path) = word.strip_prefix("unix:") {
            facts.is_unix = true;
            // An abstract one has no file.
            if !path.starts_with(['@', '\0']) {
                facts.paths.push(self.path(path, (false, false)));
            }
            return Ok(());
        }
        let (host, port) = host_and_port(word)?;
        facts.port = port;
        add_host(facts, host)
    }

    fn url(&self, facts: &mut Facts<'static>) -> Result<(), NotUnderstood> {
        let url = match self.words {
            [_method, url] => url,
            _ => self.one_word("a URL", "https://api.example.com/v1/files")?,
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return not_understood(format!("`{url}` is no URL"), format!("say `https://{url}`"));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit_once('@').map_or(authority, |(_user, authority)| authority);
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let (host, port) = host_and_port(authority)?;
        let scheme = scheme.to_ascii_lowercase();
        facts.port = port.or(default_port(&scheme));
        add_host(facts, host)?;
        let authority = authority.to_ascii_lowercase();
        facts.add(Field::Url, format!("{scheme}://{authority}{path}").into_bytes());
        Ok(())
    }

    fn module(&self, facts: &mut Facts<'static>) -> Result<(), NotUnderstood> {
        let module = match self.words {
            [module, from, distribution] if from == "from" => {
                facts.distribution = Some(distribution_of(distribution));
                module
            }
            _ => self.one_word("a module", "yaml from pyyaml==5.3")?,
        };
        facts.add(Field::Module, module.as_bytes().to_vec());
        Ok(())
    }

    fn command(&self, facts: &mut Facts<'static>) -> Result<(), NotUnderstood> {
        let Some(program) = self.words.first() else {
            return self.one_word("a program", "curl https://example.com").map(drop);
        };
        if program.contains('/') {
            facts.add(Field::Program, self.setting.located(program).0);
        }
        let (_, name) = paths::split(program.as_bytes());
        facts.add(Field::Program, name.to_vec());
        facts.add(Field::Argv, self.words.join(" ").into_bytes());
        Ok(())
    }

    fn script(&self, who: &mut Who) -> Result<(), NotUnderstood> {
        match self.words {
            [option, module] if option == "-m" => who.add(Field::Script, format!("-m {module}").as_bytes()),
            _ => add_script(who, self.one_word("a script", "/home/ann/report.py")?, self.setting),
        }
        Ok(())
    }
}

impl Setting<'_> {
    /// The absolute path that `text` stands for, and the same from `~/` on where it is in the home.
    fn located(&self, text: &str) -> (Vec<u8>, Option<Vec<u8>>) {
        let home = self.home.map(|home| home.strip_suffix(b"/").unwrap_or(home));
        let path = match (home, text.strip_prefix("~/")) {
            (Some(home), Some(rest)) => paths::absolute(home, rest.as_bytes()).into_owned(),
            _ => paths::absolute(self.directory, text.as_bytes()).into_owned(),
        };
        let in_home = home.and_then(|home| paths::below(home, &path)).map(|rest| [b"~/", rest].concat());
        (path, in_home)
    }
}

/// `host`, `host:port`, `[address]:port` or an address alone.
fn host_and_port(text: &str) -> Result<(&str, Option<u16>), NotUnderstood> {
    if hosts::is_address(text) {
        return Ok((text, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match port.map(str::parse) {
        None => Ok((host, None)),
        Some(Ok(port)) => Ok((host, Some(port))),
        Some(Err(_)) => not_understood(
            format!("`{}` is no port", port.unwrap_or_default()),
            "a port is a number up to 65535; put an IPv6 address in brackets, as `[::1]:443`",
        ),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

fn add_host(facts: &mut Facts<'static>, host: &str) -> Result<(), NotUnderstood> {
    match hosts::parse_address(host) {
        Some(address) => facts.address = Some(address),
        None => facts.add(Field::Host, host_name(host)?.into_bytes()),
    }
    Ok(())
}

fn host_name(host: &str) -> Result<String, NotUnderstood> {
    match idna::domain_to_ascii(host.trim_end_matches('.')) {
        Ok(host) => Ok(host),
        Err(_) => not_understood(format!("`{host}` is no name of a host"), "say one as `api.example.com`"),
    }
}

fn distribution_of(text: &str) -> (Cow<'static, str>, Cow<'static, str>) {
    let (name, version) = text.split_once("==").unwrap_or((text, ""));
    (Cow::Owned(distributions::normalised(name)), Cow::Owned(version.to_owned()))
}

fn add_script(who: &mut Who, text: &str, setting: &Setting<'_>) {
    if text.starts_with('-') {
        who.add(Field::Script, text.as_bytes());
        return;
    }
    let (path, in_home) = setting.located(text);
    who.add(Field::Script, &path);
    who.add(Field::Script, &in_home.unwrap_or_default());
}

fn add_who(
    facts: &mut Facts<'static>,
    who: &mut Who,
    key: &str,
    value: &str,
    setting: &Setting<'_>,
) -> Result<(), NotUnderstood> {
    match key {
        "user" => who.add(Field::User, value.as_bytes()),
        "group" => who.add(Field::Group, value.as_bytes()),
        "script" => add_script(who, value, setting),
        "script_sha256" => who.add(Field::ScriptSha256, value.to_ascii_lowercase().as_bytes()),
        "origin" => facts.add(Field::Origin, distributions::normalised(value).into_bytes()),
        "host" => facts.add(Field::Host, host_name(value)?.into_bytes()),
        "distribution" => facts.distribution = Some(distribution_of(value)),
        "address" => match hosts::parse_address(value) {
            Some(address) => facts.address = Some(address),
            None => return not_understood(format!("`{value}` is no address"), "say one as `10.0.0.1`"),
        },
        _ => {
            let hint = format!("it is one of {}", WHO_KEYS.join(", "));
            return not_understood(format!("there is no `{key}` to say who asks"), hint);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTING: Setting<'_> = Setting { directory: b"/work", home: Some(b"/home/ann"), time: 7 };

    /// All that is known of the event, in words.
    fn understood(event: &str, who: &[(&str, &str)]) -> String {
        let who: Vec<_> = who.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let (facts, who) = match understand(event, &who, &SETTING) {
            Ok(found) => found,
            Err(error) => return format!("{error} ({})", error.hint),
        };
        let mut said = vec![facts.kind.name().to_owned()];
        for path in &facts.paths {
            let access =
                format!("{}{}", if path.reads { "r" } else { "" }, if path.writes { "w" } else { "" });
            said.push(format!("path={}:{access}", String::from_utf8_lossy(&path.path)));
            said.extend(path.in_home.iter().map(|path| format!("in={}", String::from_utf8_lossy(path))));
        }
        for (field, text) in facts
            .texts
            .iter()
            .map(|(field, text)| (field, &**text))
            .chain(who.texts.iter().map(|(field, text)| (field, &**text)))
        {
            said.push(format!("{}={}", field.name(), String::from_utf8_lossy(text)));
        }
        said.extend(facts.address.map(|address| format!("address={address}")));
        said.extend(facts.is_unix.then(|| "unix".to_owned()));
        said.extend(facts.port.map(|port| format!("port={port}")));
        said.extend(facts.distribution.map(|(name, version)| format!("distribution={name} {version}")));
        said.join(" ")
    }

    #[test]
    fn events_are_said_in_a_line() {
        for (event, expected) in [
            ("open /data/hr/x.csv", "open path=/data/hr/x.csv:r"),
            ("open:write x.csv", "open path=/work/x.csv:w"),
            ("open:read+append ./a//x", "open path=/work/a/x:rw"),
            ("open:create ../x", "open path=/x:w"),
            ("map /x", "map path=/x:r"),
            ("open ~/x.csv", "open path=/home/ann/x.csv:r in=~/x.csv"),
            ("open /home/ann/x.csv", "open path=/home/ann/x.csv:r in=~/x.csv"),
            ("open '/my data/x y.csv'", "open path=/my data/x y.csv:r"),
            (r#"open /my\ data/"a\"b'c".csv"#, r#"open path=/my data/a"b'c.csv:r"#),
            ("delete /x", "delete path=/x:w"),
            ("list /x", "list path=/x:r"),
            ("xattr /x", "xattr path=/x:w"),
            ("xattr:read /x", "xattr path=/x:r"),
            ("database /x.db", "database path=/x.db:rw"),
            ("rename /a /b", "rename path=/a:w path=/b:w"),
            ("copy /a /b", "copy path=/a:r path=/b:w"),
            ("link /a /b", "link path=/a:r path=/b:w"),
            ("symlink /a /b", "symlink path=/a:r path=/b:w"),
            ("connect api.openai.com:443", "connect host=api.openai.com port=443"),
            ("connect API.Example.com.:443", "connect host=api.example.com port=443"),
            ("connect bücher.example", "connect host=xn--bcher-kva.example"),
            ("connect 10.0.0.1:443", "connect address=10.0.0.1 port=443"),
            ("connect ::ffff:10.0.0.1", "connect address=10.0.0.1"),
            ("connect [::1]:443", "connect address=::1 port=443"),
            ("connect unix:/run/x.sock", "connect path=/run/x.sock: unix"),
            ("connect unix:@x", "connect unix"),
            ("bind 0.0.0.0:80", "bind address=0.0.0.0 port=80"),
            ("send 8.8.8.8:53", "send address=8.8.8.8 port=53"),
            ("resolve example.com", "resolve host=example.com"),
            (
                "http POST https://ann:x@API.openai.com/v1/Files?key=1#top",
                "http host=api.openai.com url=https://api.openai.com/v1/Files port=443",
            ),
            ("http http://10.0.0.1:8080", "http url=http://10.0.0.1:8080 address=10.0.0.1 port=8080"),
            ("request ftp://h.example/x", "request host=h.example url=ftp://h.example/x"),
            ("import pickle", "import module=pickle"),
            ("import yaml from PyYAML==5.3", "import module=yaml distribution=pyyaml 5.3"),
            ("import yaml from PyYAML", "import module=yaml distribution=pyyaml "),
            ("spawn curl -s 'https://x y'", "spawn program=curl argv=curl -s https://x y"),
            ("exec ./a b", "exec program=/work/a program=a argv=./a b"),
            ("script report.py", "script script=/work/report.py"),
            ("script ~/report.py", "script script=/home/ann/report.py script=~/report.py"),
            ("script -c", "script script=-c"),
            ("script -m pytest", "script script=-m pytest"),
            ("native", "native"),
            ("native /usr/lib/libc.so.6", "native path=/usr/lib/libc.so.6:"),
            ("fork", "fork"),
            ("  setenv  ", "setenv"),
        ] {
            assert_eq!(understood(event, &[]), expected, "{event}");
        }
    }

    #[test]
    fn who_asks_is_said_in_pairs() {
        for (key, value, expected) in [
            ("user", "ann", "user=ann"),
            ("group", "100", "group=100"),
            ("script", "x.py", "script=/work/x.py"),
            ("script", "-", "script=-"),
            ("script_sha256", "AB", "script_sha256=ab"),
            ("origin", "Typing_Extensions", "origin=typing-extensions"),
            ("host", "Example.com", "host=example.com"),
            ("address", "::ffff:10.0.0.1", "address=10.0.0.1"),
            ("distribution", "PyYAML==6.0", "distribution=pyyaml 6.0"),
        ] {
            assert_eq!(understood("fork", &[(key, value)]), format!("fork {expected}"));
        }
    }

    #[test]
    fn what_is_not_understood_is_said_with_a_way_out() {
        for (event, expected) in [
            ("", "there is no event (say one as `open /data/x.csv` or `connect api.example.com:443`)"),
            ("opne /x", "there is no event `opne` (did you mean `open`?)"),
            ("network x", "there is no event `network` (`network` is a family of events: name one of them)"),
            ("open", "`open` needs a path (as in `open /data/x.csv`)"),
            ("open /my data", "`data` is one word too many after `open` (quote what has spaces in it)"),
            ("open '/x", "a ' is not closed (write `\\'` for one that is no quote)"),
            ("open:all /x", "there is no access `all` (say `open:read`, `open:write` or `open:read+write`)"),
            ("delete:write /x", "`delete` has no access to choose (say `delete` alone)"),
            ("fork x", "no rule can look at what a `fork` is about (say `fork` alone)"),
            ("http GET example.com", "`example.com` is no URL (say `https://example.com`)"),
            (
                "connect h:http",
                "`http` is no port (a port is a number up to 65535; put an IPv6 address in brackets, as `[::1]:443`)",
            ),
            (
                "rename /x",
                "`rename` needs two paths (as in `rename /data/x.csv /data/y.csv`; quote what has spaces in it)",
            ),
            ("spawn", "`spawn` needs a program (as in `spawn curl https://example.com`)"),
        ] {
            assert_eq!(understood(event, &[]), expected, "{event}");
        }
        assert!(understood("fork", &[("who", "x")]).starts_with("there is no `who` to say who asks"));
        assert!(understood("fork", &[("address", "x")]).starts_with("`x` is no address"));
    }
}
