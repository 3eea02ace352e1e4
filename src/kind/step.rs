//! kind's standard error, read for what it is doing.

/// ` • Preparing nodes 📦  ...` → `Preparing nodes`; a line that begins no step, such as its ` ✓ ` at the end, is nothing.
pub fn step(line: &str) -> Option<&str> {
    let text = line.trim().strip_prefix('•')?;
    let text = text.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == ')')).trim();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_without_its_ornaments() {
        assert_eq!(step(" • Ensuring node image (kindest/node:v1.34.3) 🖼  ..."), Some("Ensuring node image (kindest/node:v1.34.3)"));
        assert_eq!(step(" • Starting control-plane 🕹️  ..."), Some("Starting control-plane"));
        for other in [" ✓ Preparing nodes 📦 ", "Creating cluster \"quickstart\" ...", " • ", "ERROR: failed"] {
            assert_eq!(step(other), None);
        }
    }
}
