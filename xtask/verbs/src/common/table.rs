//! Tables for a terminal.

/// Between two columns.
const GAP: &str = "  ";

/// A column of a table that is made to fit.
pub struct Column {
    pub head: &'static str,
    /// How narrow it may become; a longer cell is cut.
    pub least: usize,
    /// Whether it may be left out, the lowest number first.
    pub goes: Option<u8>,
}

impl Column {
    /// Always there, and whole.
    pub const fn always(head: &'static str) -> Column {
        Column { head, least: usize::MAX, goes: None }
    }

    pub const fn least(self, least: usize) -> Column {
        Column { least, ..self }
    }

    pub const fn goes(self, order: u8) -> Column {
        Column { goes: Some(order), ..self }
    }
}

/// A table, and the heads of the columns that are left out of it.
pub struct Fitted {
    pub text: String,
    pub left_out: Vec<&'static str>,
}

/// Columns padded to their widest cell, two spaces between; the last one as it is.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| widest(rows, column)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        out.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
        out.push('\n');
    }
    out
}

/// A table that is no wider than `width`: it leaves columns out, first those that say nothing, and cuts cells. Without a
/// width, it is whole.
pub fn fitted(columns: &[Column], rows: Vec<Vec<String>>, width: Option<usize>) -> Fitted {
    let head = columns.iter().map(|column| column.head.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let Some(width) = width else { return Fitted { text: table(&rows), left_out: Vec::new() } };
    let whole: Vec<usize> = (0..columns.len()).map(|column| widest(&rows, column)).collect();
    let least = |column: usize| whole[column].min(columns[column].least);
    let needed =
        |shown: &[usize]| shown.iter().map(|&at| least(at)).sum::<usize>() + GAP.len() * shown.len().saturating_sub(1);
    let says = |column: usize| rows.iter().skip(1).any(|row| !["", "-"].contains(&row[column].as_str()));
    let (mut shown, mut left_out): (Vec<usize>, Vec<usize>) = ((0..columns.len()).collect(), Vec::new());
    while needed(&shown) > width {
        let goes = |&&at: &&usize| Some((says(at), columns[at].goes?));
        let Some(&first) = shown.iter().filter(|at| goes(at).is_some()).min_by_key(goes) else { break };
        shown.retain(|&at| at != first);
        left_out.push(first);
    }
    let mut spare = width.saturating_sub(needed(&shown));
    let widths: Vec<usize> = shown
        .iter()
        .map(|&at| {
            let more = spare.min(whole[at] - least(at));
            spare -= more;
            least(at) + more
        })
        .collect();
    let fit = |row: &Vec<String>| shown.iter().zip(&widths).map(|(&at, &width)| cut(&row[at], width)).collect();
    left_out.sort_unstable();
    Fitted {
        text: table(&rows.iter().map(fit).collect::<Vec<_>>()),
        left_out: left_out.into_iter().map(|at| columns[at].head).collect(),
    }
}

fn widest(rows: &[Vec<String>], column: usize) -> usize {
    rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    let begin: String = cell.chars().take(width.saturating_sub(1)).collect();
    format!("{}…", begin.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        assert_eq!(table(&[row(["a", "b"]), row(["longer", ""])]), "a       b\nlonger\n");
    }

    #[test]
    fn a_table_fits() {
        let columns = [
            Column::always("A"),
            Column::always("B").goes(2),
            Column::always("C").goes(3),
            Column::always("D").least(5).goes(1),
        ];
        let rows = || vec![row(["name", "second", "-", "a long text"]), row(["x", "y", "", "é"])];
        let fitted = |width| {
            let Fitted { text, left_out } = super::fitted(&columns, rows(), width);
            (text, left_out.concat())
        };
        let whole = "A     B       C  D\nname  second  -  a long text\nx     y          é\n";
        assert_eq!(fitted(None), (whole.to_owned(), String::new()));
        assert_eq!(fitted(Some(28)), fitted(None));
        assert_eq!(fitted(Some(24)).0, "A     B       C  D\nname  second  -  a long…\nx     y          é\n");
        // What says nothing goes first, then by the order.
        assert_eq!(
            fitted(Some(19)),
            ("A     B       D\nname  second  a lo…\nx     y       é\n".to_owned(), "C".to_owned())
        );
        assert_eq!(fitted(Some(12)), ("A     B\nname  second\nx     y\n".to_owned(), "CD".to_owned()));
        // Narrower it doesn't get.
        assert_eq!(fitted(Some(2)), ("A\nname\nx\n".to_owned(), "BCD".to_owned()));
    }
}
