//! Command lines of this program in shell text, with values in the place of placeholders.

/// What stands for a placeholder in capitals whose value has to have a form.
const VALUES: &[(&str, &str)] = &[("PORT", "8080"), ("N", "9"), ("TIME", "9m"), ("ADDRESS", "127.0.0.1"), ("VERB", "up")];
/// How the program is called where it is not on the PATH.
const PROGRAMS: &[&str] = &["quickstart", "./quickstart", "target/release/quickstart"];

/// Every `quickstart …` in command position, word by word.
pub(super) fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for command in text.lines().flat_map(simple_commands) {
        let assignment = |word: &&String| {
            word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        };
        let words: Vec<&String> =
            command.iter().skip_while(|word| assignment(word) || word.as_str() == "sudo" || word.as_str() == "time").collect();
        let Some((first, rest)) = words.split_first() else { continue };
        if !PROGRAMS.contains(&first.as_str()) || rest.is_empty() {
            continue;
        }
        let rest = rest.iter().take_while(|word| word.as_str() != "…").map(|word| filled(word.trim_matches(['[', ']'])));
        found.push(std::iter::once("quickstart".to_owned()).chain(rest).collect());
    }
    found
}

/// The words between operators; quotes are taken off, comments left out.
fn simple_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, c) if c.is_whitespace() => push(&mut commands, word.take()),
            (None, '|' | ';' | '&' | '(' | ')' | '<' | '>') => {
                // `2>` is no argument.
                let redirected = matches!(c, '<' | '>') && word.as_deref().is_some_and(|word| word.bytes().all(|b| b.is_ascii_digit()));
                push(&mut commands, word.take().filter(|_| !redirected));
                commands.push(Vec::new());
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    push(&mut commands, word);
    commands
}

fn push(commands: &mut [Vec<String>], word: Option<String>) {
    if let (Some(last), Some(word)) = (commands.last_mut(), word) {
        last.push(word);
    }
}

/// A word in capitals with a value instead: `NAMESPACE/NAME:PORT` → `namespace/name:8080`.
fn filled(word: &str) -> String {
    if word.bytes().any(|byte| byte.is_ascii_lowercase()) || !word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return word.to_owned();
    }
    let value =
        |part: &str| VALUES.iter().find(|(name, _)| *name == part).map_or_else(|| part.to_lowercase(), |(_, value)| (*value).to_owned());
    let (mut out, mut part) = (String::new(), String::new());
    for c in word.chars() {
        if c.is_ascii_alphabetic() {
            part.push(c);
        } else {
            out.push_str(&value(&part));
            part.clear();
            out.push(c);
        }
    }
    out + &value(&part)
}
