//! What of a budget does not fit, in sentences.

use super::Budget;

pub(super) fn warnings(budget: &Budget) -> Vec<String> {
    let mut all = Vec::new();
    if let Some((asked, engine)) = budget.requested.zip(budget.engine.as_ref()) {
        let (cpus, asked_cpus) = (engine.cpus * 1000, asked.cpu_millis);
        if asked_cpus > cpus {
            all.push(format!(
                "the pods ask for {} CPUs, the engine has {}: give it more, or name smaller `resources` in quickstart.yaml",
                tenths(asked_cpus),
                engine.cpus
            ));
        }
        if asked.memory > engine.memory {
            all.push(format!(
                "the pods ask for {} MiB of memory, the engine has {} MiB: give it more",
                asked.memory >> 20,
                engine.memory >> 20
            ));
        }
    }
    for pulls in &budget.pulls {
        if let Some(limit) = pulls.limit.filter(|limit| pulls.pulls > limit.pulls) {
            all.push(format!(
                "{} pulls from {}, which allows {} in {} hours without an account: `docker login`, or a bundle",
                pulls.pulls, pulls.registry, limit.pulls, limit.hours
            ));
        }
    }
    if let Some(engine) = budget.engine.as_ref().filter(|engine| !engine.architecture.is_empty()) {
        match budget.architectures.iter().find(|one| one.architecture == engine.architecture) {
            None => {
                let there: Vec<&str> = budget.architectures.iter().map(|one| one.architecture.as_str()).collect();
                all.push(format!("the engine runs {}, the images are for {}", engine.architecture, there.join(" and ")));
            }
            Some(coverage) if !coverage.lacking.is_empty() => {
                all.push(format!("not for {}: {}", engine.architecture, coverage.lacking.join(", ")));
            }
            Some(_) => {}
        }
    }
    all
}

/// `1.2` of 1,150 thousandths: rounded up, so that what does not fit never reads as if it did.
fn tenths(millis: u64) -> String {
    let tenths = millis.div_ceil(100);
    format!("{}.{}", tenths / 10, tenths % 10)
}
