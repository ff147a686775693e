//! Tables as kubectl writes them: no lines, columns three blanks apart.

use crate::output::{Paint, State};

/// A cell: its text and what it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    text: String,
    state: State,
}

impl Cell {
    /// A text that means something.
    pub fn new(text: impl Into<String>, state: State) -> Self {
        Self { text: text.into(), state }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, State::Plain)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text, State::Plain)
    }
}

impl From<usize> for Cell {
    fn from(number: usize) -> Self {
        Self::new(number.to_string(), State::Plain)
    }
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| Cell::new(*heading, State::Title)).collect()] }
    }

    /// One more row; an empty cell is shown as `-`.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as text.
    #[must_use]
    pub fn render(&self, paint: Paint) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.chars().count().max(1)).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut pending = 0;
            for (cell, width) in row.iter().zip(&widths) {
                let text = if cell.text.is_empty() { "-" } else { &cell.text };
                out.extend(std::iter::repeat_n(' ', pending));
                out.push_str(&paint.state(text, cell.state));
                pending = 3 + width - text.chars().count();
            }
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let mut table = Table::new(&["NAME", "N"]);
        table.row(vec!["a".into(), 1_usize.into()]);
        table.row(vec!["längere".into(), "".into()]);
        assert_eq!(table.render(Paint::plain()), "NAME      N\na         1\nlängere   -\n");
    }
}
