//! What is drawn again in its place: a whole screen, or a few lines below everything that was printed. The cursor is never hidden and
//! always stands below what was drawn: nothing has to be put back, whichever way the program ends.

use std::io::IsTerminal as _;

use super::Size;

const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";
const CLEAR_ALL: &str = "\x1b[2J";

/// What is on the screen already.
#[derive(Debug)]
pub struct Redraw {
    terminal: bool,
    drawn: bool,
}

impl Redraw {
    /// For standard output.
    pub fn of_stdout() -> Self {
        Self { terminal: std::io::stdout().is_terminal(), drawn: false }
    }

    /// The bytes that show `board` now. No line is cleared before it is written anew: nothing flickers.
    pub fn over(&mut self, board: &str) -> String {
        let board = board.trim_end();
        let first = !std::mem::replace(&mut self.drawn, true);
        match (self.terminal, first) {
            (true, _) => {
                let start = if first { CLEAR_ALL } else { "" };
                let end = format!("{CLEAR_LINE}\n");
                format!("{start}{HOME}{}{end}{CLEAR_BELOW}", board.replace('\n', &end))
            }
            (false, true) => board.to_owned(),
            (false, false) => format!("\n{board}"),
        }
    }
}

/// The lines that stand below everything that was printed: how wide each of them is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Below(Vec<usize>);

impl Below {
    /// The bytes that take the lines away, print `text` (whole lines) in their place and draw `board` below it, in a terminal that has this
    /// size now.
    pub(super) fn over(&mut self, text: &str, board: &[String], size: Size) -> String {
        // A terminal that was made narrower has broken its lines anew: what was one line then may be two now.
        let rows: usize = self.0.iter().map(|width| width.div_ceil(size.columns.max(1)).max(1)).sum();
        // What has left the screen at its upper end is out of reach.
        let up = rows.min(size.rows.saturating_sub(1));
        self.0 = board.iter().map(|line| console::measure_text_width(line)).collect();
        let back = if up > 0 { format!("\r\x1b[{up}A{CLEAR_BELOW}") } else { String::new() };
        board.iter().fold(back + text, |all, line| all + line + "\n")
    }

    /// Is there nothing?
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_drawn_over_and_a_file_gets_one_board_after_the_other() {
        let mut terminal = Redraw { terminal: true, drawn: false };
        assert_eq!(terminal.over("a\nb\n"), "\x1b[2J\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(terminal.over("c\n"), "\x1b[Hc\x1b[K\n\x1b[J");
        let mut file = Redraw { terminal: false, drawn: false };
        assert_eq!((file.over("a\n"), file.over("b\n")), ("a".to_owned(), "\nb".to_owned()));
    }
}
