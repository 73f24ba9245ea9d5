//! What a compiled policy says of one event, once [`super::classify`] has said which classes it is in: each rule is
//! posted under the rarest of the classes that it wants, so the rules to look at are those posted under the event's.

use smallvec::SmallVec;

use super::classify::Classes;
use super::facts::{Facts, PathFact, Who};
use super::field::Field;
use super::image::{Image, RULE_BYTES, Section, Table};
use crate::event::Kind;
use crate::verdict::Action;

/// The classes that a process is in, whatever it does.
#[derive(Clone, Debug, Default)]
pub struct WhoClasses(Classes);

/// The rules that decided, by their numbers in the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The enforced rule.
    pub enforced: Option<u32>,
    /// The rule that would decide if observed ones were enforced too.
    pub shadow: Option<u32>,
}

/// A rule as it is compiled.
#[derive(Clone, Copy, Debug)]
pub struct CompiledRule {
    pub kinds: u64,
    pub until: u64,
    pub access: u8,
    pub action: Action,
    pub is_observed: bool,
    pub layer: u8,
    pub wanted: (u32, u32),
    /// Place of `policy/rule` in the strings.
    pub name: u32,
    pub message: u32,
    pub link: u32,
    pub owner: u32,
}

/// Bits of a rule's access.
pub mod access {
    pub const READ: u8 = 1;
    pub const WRITE: u8 = 2;
}

impl Image {
    /// Rule `number`; `None` past the last.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<CompiledRule> {
        let at = (number as usize).saturating_mul(RULE_BYTES);
        let rule = Table(self.table(Section::Rules).0.get(at..at.saturating_add(RULE_BYTES))?);
        let [access, action, is_observed, layer] = rule.number(16).to_le_bytes();
        Some(CompiledRule {
            kinds: rule.long(0),
            until: rule.long(8),
            access,
            action: Action::from_number(action)?,
            is_observed: is_observed != 0,
            layer,
            wanted: (rule.number(20), rule.number(24)),
            name: rule.number(28),
            message: rule.number(32),
            link: rule.number(36),
            owner: rule.number(40),
        })
    }

    /// What rule `number` does; `None` past the last.
    #[must_use]
    pub fn action(&self, number: u32) -> Option<Action> {
        let at = (number as usize).saturating_mul(RULE_BYTES).saturating_add(17);
        Action::from_number(*self.table(Section::Rules).0.get(at)?)
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.table(Section::Rules).count(RULE_BYTES)
    }

    /// Whether any rule is about events of `kind`.
    #[must_use]
    pub fn concerns(&self, kind: Kind) -> bool {
        self.fields(kind as usize) != 0
    }

    /// Whether a rule about events of `kind` looks at `field`.
    #[must_use]
    pub fn looks_at(&self, kind: Kind, field: Field) -> bool {
        self.fields(kind as usize) & 1 << field as u32 != 0
    }

    /// By the number of a kind, a bit for each field; the highest where there are rules without conditions.
    pub(super) fn fields(&self, kind: usize) -> u32 {
        self.table(Section::Fields).number(4 * kind)
    }

    /// The classes of a process that `who` runs.
    #[must_use]
    pub fn classes_of(&self, who: &Who) -> WhoClasses {
        let mut found = Classes::new();
        for (field, text) in &who.texts {
            self.look_up(*field, text, false, &mut found);
        }
        WhoClasses(found)
    }

    /// What the rules say of an event, of a process in the classes `who`.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>, who: &WhoClasses) -> Decision {
        if !self.concerns(facts.kind) {
            return Decision::default();
        }
        let mut shared = who.0.clone();
        self.classify(facts, &mut shared);
        // An event without a path is not one with an empty path, which `/**` would match.
        let looks_at_paths = self.looks_at(facts.kind, Field::Path) && !facts.paths.is_empty();
        let mut strictest = Strictest::default();
        let nothing = [PathFact::default()];
        let paths = if facts.paths.is_empty() { &nothing[..] } else { &facts.paths };
        for path in paths {
            let mut classes = shared.clone();
            if looks_at_paths {
                for text in [Some(&path.path), path.in_home.as_ref()].into_iter().flatten() {
                    self.look_up(Field::Path, text, path.folds, &mut classes);
                }
            }
            classes.sort_unstable();
            classes.dedup();
            self.first_matches(facts, path, &classes, &mut strictest);
        }
        strictest.decision()
    }

    fn first_matches(
        &self,
        facts: &Facts<'_>,
        path: &PathFact<'_>,
        classes: &Classes,
        strictest: &mut Strictest,
    ) {
        let posted = self.table(Section::PostedRules);
        let postings = self.table(Section::Postings);
        let mut firsts: SmallVec<[Firsts; 4]> = SmallVec::new();
        let plain =
            self.table(Section::PlainRules).list(self.table(Section::Plain).pair(facts.kind as usize));
        let candidates =
            classes.iter().flat_map(|class| posted.list(postings.pair(*class as usize))).chain(plain);
        for number in candidates {
            if let Some(rule) = self.rule(number)
                && self.holds(&rule, facts, path, classes)
            {
                note(&mut firsts, number, &rule);
            }
        }
        for first in firsts {
            strictest.add(&first);
        }
    }

    /// Whether all that `rule` wants is so.
    fn holds(&self, rule: &CompiledRule, facts: &Facts<'_>, path: &PathFact<'_>, classes: &Classes) -> bool {
        let has_access = rule.access == 0
            || (rule.access & access::READ != 0 && path.reads)
            || (rule.access & access::WRITE != 0 && path.writes);
        rule.kinds & 1 << facts.kind as u64 != 0
            && has_access
            && facts.time < rule.until
            && self
                .table(Section::Wanted)
                .list(rule.wanted)
                .all(|class| classes.binary_search(&class).is_ok())
    }
}

/// The first rules of one layer that hold.
#[derive(Clone, Copy, Default)]
struct Firsts {
    layer: u8,
    enforced: Option<(u32, Action)>,
    any: Option<(u32, Action)>,
}

fn note(firsts: &mut SmallVec<[Firsts; 4]>, number: u32, rule: &CompiledRule) {
    let at = firsts.iter().position(|first| first.layer == rule.layer).unwrap_or_else(|| {
        firsts.push(Firsts { layer: rule.layer, ..Firsts::default() });
        firsts.len() - 1
    });
    let Some(first) = firsts.get_mut(at) else { return };
    let is_earlier = |known: Option<(u32, Action)>| known.is_none_or(|(known, _)| number < known);
    if is_earlier(first.any) {
        first.any = Some((number, rule.action));
    }
    if !rule.is_observed && is_earlier(first.enforced) {
        first.enforced = Some((number, rule.action));
    }
}

/// The strictest rule of all layers and paths so far; of equally strict ones that with the lower number.
#[derive(Clone, Copy, Default)]
struct Strictest {
    enforced: Option<(u32, Action)>,
    any: Option<(u32, Action)>,
}

impl Strictest {
    fn add(&mut self, first: &Firsts) {
        self.enforced = stricter(self.enforced, first.enforced);
        self.any = stricter(self.any, first.any);
    }

    fn decision(self) -> Decision {
        Decision { enforced: self.enforced.map(|rule| rule.0), shadow: self.any.map(|rule| rule.0) }
    }
}

fn stricter(one: Option<(u32, Action)>, other: Option<(u32, Action)>) -> Option<(u32, Action)> {
    match (one, other) {
        (Some(one), Some(other)) if other.1 > one.1 || (other.1 == one.1 && other.0 < one.0) => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}

#[cfg(feature = "read")]
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::compile::compile;
    use crate::policy::field::{ALL, AddressWord, FILE, Kinds};
    use crate::policy::glob::Glob;
    use crate::policy::rule::{AccessWanted, Condition, Layer, Mode, Pattern, Rule};

    fn condition(field: Field, patterns: &[&str]) -> Condition {
        let globs = patterns.iter().flat_map(|text| Glob::parse(text, field.separator()).unwrap());
        Condition { field, patterns: globs.map(Pattern::Glob).collect::<Arc<[Pattern]>>() }
    }

    fn rule(id: &str, action: Action, conditions: Vec<Condition>) -> Rule {
        let kinds = conditions.iter().fold(ALL, |kinds, condition| kinds.and(condition.field.kinds()));
        Rule { id: id.to_owned(), kinds, action, conditions, ..Rule::default() }
    }

    fn decided(layers: &[Layer], facts: &Facts<'_>, who: &Who) -> (Option<String>, Option<String>) {
        let image = Image::from_bytes(compile(layers)).unwrap();
        let decision = image.decide(facts, &image.classes_of(who));
        let name = |rule: Option<u32>| rule.map(|rule| image.text(image.rule(rule).unwrap().name).to_owned());
        (name(decision.enforced), name(decision.shadow))
    }

    fn read<'a>(path: &'a str) -> Facts<'a> {
        let mut facts = Facts::new(Kind::Open, 5);
        facts.paths.push(PathFact { path: path.as_bytes().into(), reads: true, ..PathFact::default() });
        facts
    }

    #[test]
    fn the_first_rule_that_holds_decides_and_the_strictest_layer_wins() {
        let first = Layer {
            name: "one".to_owned(),
            rules: vec![
                rule(
                    "own",
                    Action::Allow,
                    vec![condition(Field::Path, &["/data/hr/**"]), condition(Field::User, &["ann"])],
                ),
                rule("hr", Action::Deny, vec![condition(Field::Path, &["/data/hr/**"])]),
                Rule { kinds: FILE, ..rule("rest", Action::Warn, vec![]) },
            ],
        };
        let second = Layer {
            name: "two".to_owned(),
            rules: vec![rule("keys", Action::Deny, vec![condition(Field::Path, &["**/*.key"])])],
        };
        let layers = [first, second];
        let mut ann = Who::default();
        ann.add(Field::User, b"ann");
        let nobody = Who::default();
        for (path, who, expected) in [
            ("/data/hr/x.csv", &nobody, "one/hr"),
            ("/data/hr/x.csv", &ann, "one/own"),
            ("/data/hr/x.key", &ann, "two/keys"),
            ("/data/x.csv", &ann, "one/rest"),
        ] {
            let expected = Some(expected.to_owned());
            assert_eq!(decided(&layers, &read(path), who), (expected.clone(), expected), "{path}");
        }
        assert_eq!(decided(&layers, &Facts::new(Kind::Import, 5), &nobody), (None, None));
    }

    #[test]
    fn observed_rules_are_told_from_enforced_ones_and_rules_end() {
        let mut rules = vec![
            Rule {
                mode: Mode::Observe,
                ..rule("trial", Action::Deny, vec![condition(Field::Path, &["/a/**"])])
            },
            Rule {
                access: AccessWanted { read: true, write: false },
                until: Some(10),
                ..rule("until", Action::Warn, vec![condition(Field::Path, &["/a/**"])])
            },
        ];
        let layer = |rules: &[Rule]| [Layer { name: "p".to_owned(), rules: rules.to_vec() }];
        let (enforced, shadow) = decided(&layer(&rules), &read("/a/b"), &Who::default());
        assert_eq!((enforced.as_deref(), shadow.as_deref()), (Some("p/until"), Some("p/trial")));
        let late = Facts { time: 10, ..read("/a/b") };
        assert_eq!(decided(&layer(&rules), &late, &Who::default()).0, None);
        rules[1].access = AccessWanted { read: false, write: true };
        assert_eq!(decided(&layer(&rules), &read("/a/b"), &Who::default()).0, None);
    }

    #[test]
    fn each_path_is_decided_on_by_itself() {
        let rules = vec![
            rule("tmp", Action::Allow, vec![condition(Field::Path, &["/tmp/**"])]),
            rule("hr", Action::Deny, vec![condition(Field::Path, &["/hr/**"])]),
        ];
        let layers = [Layer { name: "p".to_owned(), rules }];
        let mut facts = Facts::new(Kind::Rename, 5);
        for path in ["/hr/x", "/tmp/x"] {
            facts.paths.push(PathFact { path: path.as_bytes().into(), writes: true, ..PathFact::default() });
        }
        assert_eq!(decided(&layers, &facts, &Who::default()).0.as_deref(), Some("p/hr"));
    }

    #[test]
    fn networks_ports_and_words_are_looked_up_by_range() {
        let network = |text: &str, bits| Pattern::Network(text.parse().unwrap(), bits);
        let only = |field, pattern| Condition { field, patterns: Arc::from([pattern]) };
        let ranges: Kinds = Kinds::of(&[Kind::Connect, Kind::Bind]);
        let rules = vec![
            Rule {
                kinds: ranges,
                ..rule("host", Action::Deny, vec![only(Field::Address, network("10.1.2.3", 32))])
            },
            Rule {
                kinds: ranges,
                ..rule(
                    "net",
                    Action::Warn,
                    vec![
                        only(Field::Address, network("10.1.0.0", 16)),
                        only(Field::Port, Pattern::Ports(80, 90)),
                    ],
                )
            },
            Rule {
                kinds: ranges,
                ..rule("six", Action::Deny, vec![only(Field::Address, network("2001:db8::", 32))])
            },
            Rule {
                kinds: ranges,
                ..rule("own", Action::Allow, vec![only(Field::Address, Pattern::Word(AddressWord::Loopback))])
            },
        ];
        let layers = [Layer { name: "p".to_owned(), rules }];
        for (kind, address, port, expected) in [
            (Kind::Connect, "10.1.2.3", 443, Some("p/host")),
            (Kind::Connect, "10.1.2.4", 85, Some("p/net")),
            (Kind::Connect, "10.1.2.4", 91, None),
            (Kind::Connect, "10.2.0.0", 85, None),
            (Kind::Connect, "2001:db8:ffff::1", 1, Some("p/six")),
            (Kind::Connect, "2001:db9::", 1, None),
            (Kind::Connect, "127.9.9.9", 1, Some("p/own")),
            (Kind::Connect, "::1", 1, Some("p/own")),
            (Kind::Connect, "0.0.0.0", 1, Some("p/own")),
            (Kind::Bind, "0.0.0.0", 1, None),
        ] {
            let address = Some(address.parse().unwrap());
            let facts = Facts { address, port: Some(port), ..Facts::new(kind, 5) };
            assert_eq!(decided(&layers, &facts, &Who::default()).0.as_deref(), expected, "{address:?}");
        }
    }

    #[test]
    fn a_network_may_end_with_the_last_address() {
        for (network, bits) in [("0.0.0.0", 0), ("255.255.255.0", 24), ("255.255.255.255", 32)] {
            let pattern = Pattern::Network(network.parse().unwrap(), bits);
            let wanted = Condition { field: Field::Address, patterns: Arc::from([pattern]) };
            let layers =
                [Layer { name: "p".to_owned(), rules: vec![rule("net", Action::Deny, vec![wanted])] }];
            let address = Some("255.255.255.255".parse().unwrap());
            let facts = Facts { address, ..Facts::new(Kind::Connect, 5) };
            assert_eq!(decided(&layers, &facts, &Who::default()).0.as_deref(), Some("p/net"), "{network}");
        }
    }

    #[test]
    fn a_path_without_a_slash_is_matched_at_any_depth() {
        for path in [":memory:", "pipe", "xyz", "ab"] {
            let pattern = format!("**/{path}*");
            let rules = vec![rule("any", Action::Deny, vec![condition(Field::Path, &[&pattern])])];
            let layers = [Layer { name: "p".to_owned(), rules }];
            assert!(decided(&layers, &read(path), &Who::default()).0.is_some(), "{pattern}");
        }
    }

    #[test]
    fn an_event_without_a_path_matches_no_path() {
        for pattern in ["/**", "**", "**/*"] {
            let layers = [Layer {
                name: "p".to_owned(),
                rules: vec![rule("sockets", Action::Deny, vec![condition(Field::Path, &[pattern])])],
            }];
            let facts = Facts::new(Kind::Connect, 5);
            assert_eq!(decided(&layers, &facts, &Who::default()).0, None, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_is_found_whose_braces_double_a_slash() {
        let layers = [Layer {
            name: "p".to_owned(),
            rules: vec![rule("home", Action::Deny, vec![condition(Field::Path, &["**/{,/home}/x"])])],
        }];
        assert!(decided(&layers, &read("/home/x"), &Who::default()).0.is_some());
    }

    #[test]
    fn a_requirement_names_a_distribution_and_its_versions() {
        let requirement = |name: &str, specifiers: &str| Pattern::Requirement {
            name: name.into(),
            specifiers: specifiers.into(),
        };
        let wanted = Condition {
            field: Field::Distribution,
            patterns: Arc::from([requirement("pyyaml", "<5.4"), requirement("evil", "")]),
        };
        let layers = [Layer { name: "p".to_owned(), rules: vec![rule("old", Action::Deny, vec![wanted])] }];
        for (name, version, expected) in [
            ("pyyaml", "5.3.1", true),
            ("pyyaml", "5.4", false),
            ("pyyaml", "nonsense", false),
            ("pyyam", "5.3", false),
            ("evil", "nonsense", true),
            ("", "", false),
        ] {
            let facts =
                Facts { distribution: Some((name.into(), version.into())), ..Facts::new(Kind::Import, 5) };
            assert_eq!(decided(&layers, &facts, &Who::default()).0.is_some(), expected, "{name} {version}");
        }
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        let good = compile(&[Layer {
            name: "p".to_owned(),
            rules: vec![rule("a", Action::Deny, vec![condition(Field::Path, &["/a"])])],
        }]);
        assert!(Image::from_bytes(good.clone()).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let is_identity = (32..64).contains(&at); // told apart by it, and not protected by it
            assert_eq!(Image::from_bytes(bad).is_err(), !is_identity, "byte {at}");
            assert!(Image::from_bytes(good[..at].to_vec()).is_err());
        }
        let mut newer = good;
        newer[8] = 2;
        assert_eq!(Image::from_bytes(newer).err(), Some(crate::policy::image::Refusal::Newer));
    }
}
