//! As much of Markdown as our own documents use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A document of this repository.
pub(super) struct Page {
    /// From the repository's root, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

/// A fenced block.
pub(super) struct Block {
    /// What stands behind the opening fence.
    pub(super) info: String,
    /// Line of the opening fence.
    pub(super) line: usize,
    pub(super) text: String,
    /// Of the comment `<!-- not run: … -->` right above it.
    pub(super) reason: Option<String>,
}

impl Block {
    /// The word that GitHub highlights by.
    pub(super) fn language(&self) -> &str {
        self.info.split_whitespace().next().unwrap_or_default()
    }

    pub(super) fn is_run(&self) -> bool {
        self.info.split_whitespace().nth(1) == Some("run")
    }
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// README.md, CONTRIBUTING.md, the lab's README and everything in docs/.
pub(super) fn pages() -> Vec<Page> {
    let mut paths: Vec<String> = ["README.md", "CONTRIBUTING.md", "lab/README.md"].map(str::to_owned).to_vec();
    for entry in fs_err::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(format!("docs/{name}"));
        }
    }
    paths.sort();
    paths.into_iter().map(|path| Page { text: fs_err::read_to_string(root().join(&path)).unwrap(), path }).collect()
}

impl Page {
    /// Fenced blocks, in their order.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let (mut open, mut above) = (false, String::new());
        for (at, line) in self.text.lines().enumerate() {
            match line.trim_start().strip_prefix("```") {
                Some(_) if open => open = false,
                Some(info) => {
                    open = true;
                    let reason = above.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->")).map(str::to_owned);
                    blocks.push(Block { info: info.trim().to_owned(), line: at + 1, text: String::new(), reason });
                }
                None if open => {
                    if let Some(block) = blocks.last_mut() {
                        block.text.push_str(line);
                        block.text.push('\n');
                    }
                }
                None if line.trim().is_empty() => {}
                None => line.trim().clone_into(&mut above),
            }
            if !open && line.trim_start().starts_with("```") {
                above.clear();
            }
        }
        assert!(!open, "{}: a fence is not closed", self.path);
        blocks
    }

    /// Lines outside of fences, with their numbers.
    fn prose(&self) -> Vec<(usize, &str)> {
        let mut open = false;
        let mut lines = Vec::new();
        for (at, line) in self.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                open = !open;
            } else if !open {
                lines.push((at + 1, line));
            }
        }
        lines
    }

    /// `code spans` of the prose. One may go on in the next line.
    pub(super) fn spans(&self) -> Vec<(usize, String)> {
        let mut spans = Vec::new();
        let mut current: Option<(usize, String)> = None;
        for (number, line) in self.prose() {
            if line.trim().is_empty() {
                current = None;
            }
            for (at, piece) in line.split('`').enumerate() {
                if at > 0 {
                    current = match current.take() {
                        Some(span) => {
                            spans.push(span);
                            None
                        }
                        None => Some((number, String::new())),
                    };
                }
                if let Some((_, text)) = &mut current {
                    if at == 0 {
                        text.push(' ');
                    }
                    text.push_str(piece);
                }
            }
        }
        spans
    }

    /// Everything that a reader may type: blocks of a shell, lines behind `$ ` of a session, code spans; the last word says whether a
    /// sentence only names it.
    pub(super) fn shell(&self) -> Vec<(usize, String, bool)> {
        let mut found: Vec<(usize, String, bool)> = self.spans().into_iter().map(|(line, text)| (line, text, true)).collect();
        for block in self.blocks() {
            match block.language() {
                "sh" => found.push((block.line, block.text, false)),
                "console" => {
                    let typed: Vec<&str> = block.text.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
                    found.push((block.line, typed.join("\n"), false));
                }
                _ => {}
            }
        }
        found
    }

    /// Targets of `[text](target)`.
    pub(super) fn links(&self) -> Vec<(usize, String)> {
        let of = |(number, line): (usize, &str)| {
            let targets: Vec<(usize, String)> =
                line.split("](").skip(1).filter_map(|rest| Some((number, rest.split_once(')')?.0.to_owned()))).collect();
            targets
        };
        self.prose().into_iter().flat_map(of).collect()
    }

    /// The anchors that GitHub makes of headings.
    pub(super) fn anchors(&self) -> BTreeSet<String> {
        let headings = self.prose().into_iter().filter_map(|(_, line)| line.strip_prefix('#'));
        headings.map(|heading| anchor(heading.trim_start_matches('#').trim())).collect()
    }
}

/// Lower case, without punctuation, dashes for spaces.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase()
}
