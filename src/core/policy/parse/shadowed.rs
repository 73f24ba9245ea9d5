//! Rules that an earlier one leaves nothing to do.

use super::diagnostics::{Problems, Wrong};
use super::rules::Placed;
use crate::policy::covers::{Budget, rule_covers};

/// Warns of each rule that can never decide. Never warns wrongly, and may miss some: large policies are compared as
/// far as the budget goes.
pub(super) fn warn(placed: &[Placed], problems: &mut Problems) {
    let mut budget = Budget::default();
    let sound: Vec<&Placed> = placed.iter().filter(|placed| placed.is_sound).collect();
    for (index, later) in sound.iter().enumerate() {
        let mut earlier = sound.iter().take(index);
        let Some(first) = earlier.find(|first| rule_covers(&first.rule, &later.rule, &mut budget)) else {
            continue;
        };
        let (id, other, line) = (&later.rule.id, &first.rule.id, first.rule.line);
        let message = format!("`{id}` never decides: `{other}` in line {line} matches all that it matches");
        let hint = format!("move it above `{other}`, or remove it");
        problems.warn(later.at, Wrong::new(message).hint(hint));
    }
}
