//! What a policy says of an event, as plain data: decided before the operation, stored with its record.

/// What is to happen. In the order of strictness: where several policies speak, the greatest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// The operation goes on.
    #[default]
    Allow = 0,
    /// It goes on, and the person who runs the script is told.
    Warn = 1,
    /// It goes on if the person has said why, and is stopped otherwise.
    Justify = 2,
    /// It is stopped.
    Deny = 3,
}

impl Action {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Warn, Self::Justify, Self::Deny];

    /// The action stored as `number`; `None` for anything else.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The action called `name` in policies.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The word for it in policies, reports, filters and SQL.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Justify => "justify",
            Self::Deny => "deny",
        }
    }
}

/// What was decided about one event.
///
/// An event that no rule speaks of has no verdict: it is allowed, as everything is without a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// What the enforced rules say.
    pub action: Action,
    /// The rule that said it, as `policy/rule`; `None` where only observed rules spoke.
    pub rule: Option<&'a str>,
    /// Whether the operation was stopped: denied, or not justified.
    pub is_stopped: bool,
    /// The justification that the person gave.
    pub reason: Option<&'a str>,
    /// What would have been decided were the observed rules enforced too, and by which rule, where that differs.
    pub shadow: Option<(Action, &'a str)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_ordered_by_strictness_and_found_by_number_and_name() {
        assert!(Action::ALL.is_sorted());
        for action in Action::ALL {
            assert_eq!(Action::from_number(action as u8), Some(action));
            assert_eq!(Action::from_name(action.name()), Some(action));
        }
        assert_eq!(Action::from_number(4), None);
    }
}
