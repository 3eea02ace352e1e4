//! Where in a file a field stands: for those who point at lines. What a field means is [`super::yaml`]'s matter.

use granit_parser::{Event, Parser};

use super::CatalogError;

/// Largest file that is read this way, in bytes; manifests of releases have seven megabytes.
const LARGEST: usize = 16 << 20;

/// A field of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which document of the file, from 0.
    pub document: usize,
    /// Keys from the document's root; an item of a list is its number.
    pub path: Vec<String>,
    /// From 1.
    pub line: usize,
    /// The text of a scalar.
    pub value: Option<String>,
}

/// What is open around the place that is read.
enum Frame {
    /// A mapping; `true`: its key was read, and its value comes next.
    Mapping(bool),
    /// A list, with the number of the next item.
    List(usize),
}

/// All fields of a file in the order of their lines. Aliases are not followed: what they name stands where it was written.
///
/// # Errors
/// Text that is not YAML, with its line.
pub fn fields(text: &str, place: &str) -> Result<Vec<Field>, CatalogError> {
    if text.len() > LARGEST {
        return Err(CatalogError::Yaml { place: place.to_owned(), message: format!("it is larger than {} MB", LARGEST >> 20) });
    }
    let mut walk = Walk::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = *error.marker();
            CatalogError::Yaml { place: format!("{place}:{}:{}", marker.line(), marker.col() + 1), message: error.info().clone() }
        })?;
        walk.take(&event, span.start.line());
    }
    Ok(walk.fields)
}

#[derive(Default)]
struct Walk {
    fields: Vec<Field>,
    frames: Vec<Frame>,
    path: Vec<String>,
    document: usize,
    /// Depth within a key that is itself a mapping or a list; what is in there is no field.
    odd: usize,
}

impl Walk {
    fn take(&mut self, event: &Event<'_>, line: usize) {
        if self.odd > 0 {
            self.within_key(event, line);
            return;
        }
        match event {
            Event::DocumentEnd => self.document += 1,
            Event::Scalar(text, ..) => self.node(Some(text), line),
            Event::Alias(_) => self.node(None, line),
            Event::MappingStart(..) | Event::SequenceStart(..) => {
                if matches!(self.frames.last(), Some(Frame::Mapping(false))) {
                    self.odd = 1;
                    return;
                }
                self.item(line);
                self.frames.push(if matches!(event, Event::MappingStart(..)) { Frame::Mapping(false) } else { Frame::List(0) });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.frames.pop();
                self.over();
            }
            _ => {}
        }
    }

    fn within_key(&mut self, event: &Event<'_>, line: usize) {
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => self.odd += 1,
            Event::MappingEnd | Event::SequenceEnd => {
                self.odd -= 1;
                if self.odd == 0 {
                    self.key("?", line);
                }
            }
            _ => {}
        }
    }

    /// A scalar or an alias, as a key or as a value.
    fn node(&mut self, text: Option<&str>, line: usize) {
        if matches!(self.frames.last(), Some(Frame::Mapping(false))) {
            self.key(text.unwrap_or("*"), line);
            return;
        }
        self.item(line);
        let (document, path) = (self.document, &self.path);
        if let Some(field) = self.fields.last_mut().filter(|field| field.document == document && field.path == *path) {
            field.value = text.map(str::to_owned);
        }
        self.over();
    }

    fn key(&mut self, text: &str, line: usize) {
        self.path.push(text.to_owned());
        if let Some(Frame::Mapping(key)) = self.frames.last_mut() {
            *key = true;
        }
        self.fields.push(Field { document: self.document, path: self.path.clone(), line, value: None });
    }

    /// An item of a list begins.
    fn item(&mut self, line: usize) {
        if let Some(Frame::List(next)) = self.frames.last_mut() {
            self.path.push(next.to_string());
            *next += 1;
            self.fields.push(Field { document: self.document, path: self.path.clone(), line, value: None });
        }
    }

    /// A value is over: its key or number goes off the path.
    fn over(&mut self) {
        match self.frames.last_mut() {
            Some(Frame::Mapping(key)) => {
                *key = false;
                self.path.pop();
            }
            Some(Frame::List(_)) => drop(self.path.pop()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let one =
            |field: Field| format!("{}:{} {}={}", field.document, field.line, field.path.join("."), field.value.unwrap_or("-".into()));
        fields(text, "t").unwrap().into_iter().map(one).collect()
    }

    #[test]
    fn every_field_has_its_path_and_line() {
        let text = "a: 1\nb:\n  c: [x, {d: y}]\n---\n- e:\n    f: |\n      two\n      lines\n- g\n";
        assert_eq!(
            told(text),
            [
                "0:1 a=1",
                "0:2 b=-",
                "0:3 b.c=-",
                "0:3 b.c.0=x",
                "0:3 b.c.1=-",
                "0:3 b.c.1.d=y",
                "1:5 0=-",
                "1:5 0.e=-",
                "1:6 0.e.f=two\nlines\n",
                "1:9 1=g"
            ]
        );
    }

    #[test]
    fn odd_keys_and_aliases_do_not_lead_astray() {
        assert_eq!(told("? [a, {b: c}]\n: d\ne: &x {f: g}\nh: *x\ni: j\n"), ["0:1 ?=d", "0:3 e=-", "0:3 e.f=g", "0:4 h=-", "0:5 i=j"]);
    }

    #[test]
    fn what_is_not_yaml_says_where() {
        let error = fields("a: 1\nb: [1\n", "my.yaml").unwrap_err().to_string();
        assert!(error.starts_with("my.yaml:"), "{error}");
        assert!(fields(&"[".repeat(100_000), "t").is_err());
        assert!(fields(&"a:\n".repeat(3), "t").is_ok());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "[ a:\\-\\[\\]{}?,&*!|>'\"\n\t#%0]{0,60}", noise in any::<String>()) {
            drop(fields(&text, "t"));
            drop(fields(&noise, "t"));
        }
    }
}
