//! A row as text by name.

/// One row; every value is text, whatever its column's type is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    columns: Vec<(String, Option<String>)>,
}

impl Row {
    pub(crate) fn new(columns: Vec<(String, Option<String>)>) -> Self {
        Self { columns }
    }

    /// The value of a column; nothing if it is NULL or there is no such column.
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut columns = self.columns.iter();
        let (_, value) = columns.find(|(column, _)| column.eq_ignore_ascii_case(name))?;
        value.as_deref()
    }

    /// The value of a column that holds a whole number.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// The first value.
    pub fn first(&self) -> Option<&str> {
        self.columns.first()?.1.as_deref()
    }

    /// All columns in their order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let columns = self.columns.iter();
        columns.map(|(name, value)| (name.as_str(), value.as_deref()))
    }
}
