//! `plan --diff` for people.

use super::{Cell, Palette, Table, Tone};
use crate::stages::{Compared, Difference};

/// So many fields of an object are named; `-o json` names them all.
const FIELDS: usize = 4;

/// What is not the same, a line each, and the sum.
pub fn plan_difference(compared: &[Compared], palette: Palette) -> String {
    let mut table = Table::new(&["object", "state", "what"]);
    let mut counts = [0_usize; 5];
    for one in compared {
        let (kind, tone, what) = match &one.difference {
            Difference::Same => {
                counts[0] += 1;
                continue;
            }
            Difference::Changed { fields } => {
                let more = fields.len().saturating_sub(FIELDS);
                let more = if more > 0 { format!(", and {more} more") } else { String::new() };
                (1, Tone::Warn, format!("{}{more}", fields.iter().take(FIELDS).map(String::as_str).collect::<Vec<_>>().join(", ")))
            }
            Difference::Missing => (2, Tone::Warn, String::new()),
            Difference::Foreign { by } => (3, Tone::Bad, format!("made by {by}")),
            Difference::Unknown { message } => (4, Tone::Bad, message.clone()),
        };
        counts[kind] += 1;
        table.row([Cell::new(&one.object), Cell::toned(STATES[kind], tone), Cell::new(&what)]);
    }
    let sum = counts.iter().zip(STATES).filter(|(count, _)| **count > 0).map(|(count, state)| format!("{count} {state}"));
    let objects = if compared.len() == 1 { "object" } else { "objects" };
    let sum = format!("{} {objects}: {}\n", compared.len(), sum.collect::<Vec<_>>().join(", "));
    if table.is_empty() { sum } else { format!("{}\n{sum}", table.render(palette)) }
}

const STATES: [&str; 5] = ["same", "would change", "missing", "somebody else's", "unknown"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_has_a_line() {
        let one = |object: &str, difference: Difference| Compared { object: object.into(), difference };
        let fields = (1..7).map(|number| format!("spec.f{number}")).collect();
        let all = [
            one("Namespace a", Difference::Same),
            one("Deployment a/b", Difference::Changed { fields }),
            one("Service a/c", Difference::Missing),
            one("Secret a/d", Difference::Foreign { by: "helm\u{1b}[2J".into() }),
            one("Job a/e", Difference::Unknown { message: "no\nanswer".into() }),
        ];
        assert_eq!(
            plan_difference(&all, Palette::plain()),
            "OBJECT          STATE            WHAT\n\
             Deployment a/b  would change     spec.f1, spec.f2, spec.f3, spec.f4, and 2 more\n\
             Service a/c     missing\n\
             Secret a/d      somebody else's  made by helm\n\
             Job a/e         unknown          no; answer\n\
             \n\
             5 objects: 1 same, 1 would change, 1 missing, 1 somebody else's, 1 unknown\n"
        );
        assert_eq!(plan_difference(&all[..1], Palette::plain()), "1 object: 1 same\n");
    }
}
