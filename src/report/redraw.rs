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
    /// The bytes that print `text` (whole lines) where the lines stood and draw `board` below it, in a terminal that has this size now.
    ///
    /// Each line is cleared behind its new text. The whole is never cleared at once: from the upper left corner that is a screen that
    /// tmux keeps in its history, a board for each drawing.
    pub(super) fn over(&mut self, text: &str, board: &[String], size: Size) -> String {
        let columns = size.columns.max(1);
        let rows_of = |width: usize| width.div_ceil(columns).max(1);
        // A terminal that was made narrower has broken its lines anew: what was one line then may be two now. What has left the screen
        // at its upper end is out of reach.
        let old = self.0.iter().copied().map(rows_of).sum::<usize>().min(size.rows.saturating_sub(1));
        self.0 = board.iter().map(|line| console::measure_text_width(line)).collect();
        let mut bytes = if old > 0 { format!("\r\x1b[{old}A") } else { String::new() };
        let mut new = 0;
        for line in text.lines().chain(board.iter().map(String::as_str)) {
            let width = console::measure_text_width(line);
            new += rows_of(width);
            // Behind a full row the cursor still stands on its last character.
            let clear = if width > 0 && width.is_multiple_of(columns) { "" } else { CLEAR_LINE };
            bytes.extend([line, clear, "\n"]);
        }
        if old > new {
            bytes.extend([format!("{CLEAR_LINE}\n").repeat(old - new), format!("\x1b[{}A", old - new)]);
        }
        if old > 0 {
            // What was typed meanwhile.
            bytes += CLEAR_LINE;
        }
        bytes
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

    /// Cleared from the upper left corner, tmux kept the board in its history, one for each drawing.
    #[test]
    fn lines_below_are_cleared_one_by_one() {
        let mut below = Below::default();
        let size = Size { rows: 24, columns: 10 };
        let board = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(below.over("", &board(&["a", "b", "c"]), size), "a\x1b[K\nb\x1b[K\nc\x1b[K\n");
        let again = below.over("x\n", &board(&["d"]), size);
        assert_eq!(again, "\r\x1b[3Ax\x1b[K\nd\x1b[K\n\x1b[K\n\x1b[1A\x1b[K");
        // A full row: behind it the cursor still stands on its last character.
        assert_eq!(below.over("0123456789\n", &[], size), "\r\x1b[1A0123456789\n\x1b[K");
        assert_eq!(below.over("y\n", &[], size), "y\x1b[K\n");
    }
}
