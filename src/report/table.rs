//! A small aligned table: no frames, two blanks between columns, nothing at the ends of lines.

use super::{Palette, Tone, one_line};

/// One field; its text is made safe and put on one line when it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
    right: bool,
}

impl Cell {
    /// A field with a tone.
    pub fn toned(text: &str, tone: Tone) -> Self {
        Self { text: one_line(text), tone: Some(tone), right: false }
    }

    /// A field.
    pub fn new(text: &str) -> Self {
        Self { text: one_line(text), tone: None, right: false }
    }

    /// The same at the right end of its column: for numbers.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

/// Rows under headings.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
    headed: bool,
}

impl Table {
    /// With headings, written in capitals.
    pub fn new(headings: &[&str]) -> Self {
        let row = headings.iter().map(|heading| Cell::toned(&heading.to_uppercase(), Tone::Strong)).collect();
        Self { rows: vec![row], headed: true }
    }

    /// Without headings.
    pub fn bare() -> Self {
        Self::default()
    }

    /// Adds a row; rows may differ in length.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Has it no rows but the headings?
    pub fn is_empty(&self) -> bool {
        self.rows.len() == usize::from(self.headed)
    }

    /// The lines, each ended with a line break.
    pub fn render(&self, palette: Palette) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| console::measure_text_width(&cell.text)).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for row in &self.rows {
            let last = row.iter().rposition(|cell| !cell.text.is_empty());
            for (column, cell) in row.iter().enumerate().take(last.map_or(0, |last| last + 1)) {
                let blanks = |count| " ".repeat(count);
                let free = widths[column] - console::measure_text_width(&cell.text);
                let painted = cell.tone.map_or_else(|| cell.text.clone(), |tone| palette.paint(tone, &cell.text));
                let (before, after) = if cell.right { (free, 0) } else { (0, free) };
                text.push_str(&(blanks(before) + &painted));
                if Some(column) != last {
                    text.push_str(&blanks(after + 2));
                }
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["component", "state", "why"]);
        table.row([Cell::new("istio"), Cell::toned("ready", Tone::Good), Cell::new("")]);
        table.row(["模型".into(), "pending".into(), "two\nlines \u{1b}[2Jand more".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_by_what_the_eye_sees() {
        assert_eq!(
            table().render(Palette::plain()),
            "COMPONENT  STATE    WHY\nistio      ready\n模型       pending  two; lines and more\n"
        );
    }

    #[test]
    fn colour_does_not_move_columns() {
        assert_eq!(console::strip_ansi_codes(&table().render(Palette::coloured())), table().render(Palette::plain()));
    }

    #[test]
    fn numbers_stand_at_the_right() {
        let mut table = Table::bare();
        table.row([Cell::new("9.1s").right(), "a".into()]);
        table.row([Cell::new("1m 12s").right(), "b".into()]);
        assert_eq!(table.render(Palette::plain()), "  9.1s  a\n1m 12s  b\n");
    }

    #[test]
    fn a_table_without_rows() {
        assert!(Table::new(&["a"]).is_empty() && Table::bare().is_empty() && !table().is_empty());
        assert_eq!(Table::bare().render(Palette::plain()), "");
    }
}
