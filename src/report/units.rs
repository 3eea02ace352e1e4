//! Times, sizes and JSON values as people read them.

use serde_json::Value;

/// `8.1s`, `1m 12s`, `1h 02m`.
pub fn seconds(milliseconds: u64) -> String {
    let whole = (milliseconds + 500) / 1000;
    if milliseconds < 59_950 {
        let tenths = (milliseconds + 50) / 100;
        format!("{}.{}s", tenths / 10, tenths % 10)
    } else if whole < 3600 {
        format!("{}m {:02}s", whole / 60, whole % 60)
    } else {
        format!("{}h {:02}m", whole / 3600, whole / 60 % 60)
    }
}

/// A running time in whole seconds, `8s`, `1m 12s`, `1h 02m`: it never runs ahead.
pub fn whole_seconds(milliseconds: u64) -> String {
    let whole = milliseconds / 1000;
    if whole < 60 { format!("{whole}s") } else { seconds(whole.saturating_mul(1000)) }
}

/// `812 B`, `34.0 MB`, decimal units as registries and disks use them.
pub fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    for (unit, size) in UNITS {
        if count >= size {
            let tenths = u128::from(count) * 10 / u128::from(size);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{count} B")
}

/// A prediction on one line with room to breathe, `[1, 1]`; the envelope of either protocol (`predictions`, `outputs[].data`) is taken off.
pub fn values(answer: &Value) -> String {
    if let Some(predictions) = answer.get("predictions") {
        return spaced(predictions);
    }
    if let Some([output]) = answer.get("outputs").and_then(Value::as_array).map(Vec::as_slice)
        && let Some(data) = output.get("data")
    {
        return spaced(data);
    }
    spaced(answer)
}

fn spaced(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), spaced(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times() {
        for (milliseconds, text) in [
            (0, "0.0s"),
            (49, "0.0s"),
            (50, "0.1s"),
            (8_149, "8.1s"),
            (59_949, "59.9s"),
            (59_950, "1m 00s"),
            (72_400, "1m 12s"),
            (3_725_000, "1h 02m"),
        ] {
            assert_eq!(seconds(milliseconds), text);
        }
        assert_eq!(seconds(u64::MAX - 500), seconds(u64::MAX - 999));
        assert_eq!([0, 59_999, 60_000, 72_900].map(whole_seconds), ["0s", "59s", "1m 00s", "1m 12s"]);
    }

    #[test]
    fn sizes() {
        for (count, text) in [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (34_000_000, "34.0 MB"), (1_250_000_000, "1.2 GB")] {
            assert_eq!(bytes(count), text);
        }
        assert!(bytes(u64::MAX).ends_with("TB"));
    }

    #[test]
    fn predictions_of_both_protocols() {
        assert_eq!(values(&json!({"predictions": [1, 1]})), "[1, 1]");
        assert_eq!(values(&json!([1, 1])), "[1, 1]");
        assert_eq!(values(&json!({"outputs": [{"name": "o", "data": [1, 1]}]})), "[1, 1]");
        assert_eq!(values(&json!({"a": [{"b": "c\u{1b}"}]})), r#"{"a": [{"b": "c\u001b"}]}"#);
    }
}
