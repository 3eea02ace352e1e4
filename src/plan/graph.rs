//! The order of stages: every stage behind what it needs, otherwise as given.

use std::collections::BTreeSet;

use super::{StageId, stage::Stage};

/// Kahn's sort, stable; an error names a need that is not there or a circle.
pub(super) fn order(mut waiting: Vec<Stage>) -> Result<Vec<Stage>, String> {
    let known: Vec<StageId> = waiting.iter().map(|stage| stage.id.clone()).collect();
    for stage in &mut waiting {
        let mut seen = Vec::new();
        for need in std::mem::take(&mut stage.needs) {
            if !known.contains(&need) {
                return Err(format!("stage {} needs {need}, which is not in the plan", stage.id));
            }
            if !seen.contains(&need) {
                seen.push(need);
            }
        }
        stage.needs = seen;
    }
    let mut ordered: Vec<Stage> = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|stage| stage.needs.iter().all(|need| ordered.iter().any(|done| done.id == *need)));
        let Some(ready) = ready else {
            let names: Vec<String> = waiting.iter().map(|stage| stage.id.to_string()).collect();
            return Err(format!("these stages wait for each other: {}", names.join(", ")));
        };
        ordered.push(waiting.remove(ready));
    }
    Ok(ordered)
}

/// The arrows of a drawing, from a stage to one that needs it, as places in the list: those that follow from others are left out, as
/// nobody could read them all. The stages are in plan order.
pub fn arrows(stages: &[Stage]) -> Vec<(usize, usize)> {
    let mut before: Vec<BTreeSet<usize>> = Vec::new();
    let mut arrows = Vec::new();
    for (here, stage) in stages.iter().enumerate() {
        let needs: Vec<usize> = stage.needs.iter().filter_map(|need| stages[..here].iter().position(|stage| stage.id == *need)).collect();
        let direct = needs.iter().filter(|need| !needs.iter().any(|other| before[*other].contains(need)));
        arrows.extend(direct.map(|need| (*need, here)));
        let all = needs.iter().flat_map(|need| before[*need].iter().copied()).chain(needs.iter().copied()).collect();
        before.push(all);
    }
    arrows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stage(id: usize, needs: &[usize]) -> Stage {
        Stage {
            id: StageId::component(&format!("s{id}")),
            title: String::new(),
            needs: needs.iter().map(|need| StageId::component(&format!("s{need}"))).collect(),
            checks: Vec::new(),
            timeout: 1,
        }
    }

    #[test]
    fn a_circle_and_a_missing_need_are_named() {
        assert!(order(vec![stage(0, &[1]), stage(1, &[0])]).unwrap_err().contains("s0, s1"));
        assert!(order(vec![stage(0, &[7])]).unwrap_err().contains("s7"));
    }

    #[test]
    fn arrows_that_follow_from_others_are_left_out() {
        let stages = order(vec![stage(0, &[]), stage(1, &[0]), stage(2, &[0, 1]), stage(3, &[0, 2])]).unwrap();
        assert_eq!(arrows(&stages), [(0, 1), (1, 2), (2, 3)]);
    }

    proptest! {
        #[test]
        fn every_stage_stands_behind_its_needs(edges in prop::collection::vec((0usize..12, 0usize..12), 0..40)) {
            let stages: Vec<Stage> = (0..12)
                .rev()
                .map(|id| stage(id, &edges.iter().filter(|(from, to)| *from == id && to < from).map(|(_, to)| *to).collect::<Vec<_>>()))
                .collect();
            let ordered = order(stages).unwrap();
            prop_assert_eq!(ordered.len(), 12);
            for (position, stage) in ordered.iter().enumerate() {
                for need in &stage.needs {
                    prop_assert!(ordered[..position].iter().any(|earlier| earlier.id == *need));
                }
            }
        }
    }
}
