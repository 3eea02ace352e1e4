//! A board that is drawn again in its place: on a terminal over the last one, elsewhere below it.

use std::io::IsTerminal as _;

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
