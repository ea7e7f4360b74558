//! Asterisk's table `ps_contacts`, as it is.

use super::copy::{ContactTable, Refusal, Rows};
use super::saved::SavedContact;
use crate::backend::{Backend, Row, Value};
use crate::current::Current;
use crate::error::StoreError;
use crate::records::is_data_fault;

/// The table in the database, with the rows of one server in it.
pub(crate) struct PsContacts {
    current: Current,
    /// What stands in `reg_server` of our rows.
    server: String,
    /// The columns we fill that are there; read anew after each failure.
    columns: Option<Vec<&'static str>>,
    warned: bool,
}

/// The columns we fill, and the characters they hold.
const COLUMNS: [(&str, usize); 11] = [
    ("id", 255),
    ("uri", 511),
    ("expiration_time", 20),
    ("path", 65_535),
    ("user_agent", 255),
    ("reg_server", 255),
    ("via_addr", 40),
    ("via_port", 5),
    ("call_id", 255),
    ("endpoint", 255),
    ("prune_on_boot", 3),
];

const TABLE: &str = "ps_contacts";

impl PsContacts {
    pub(crate) fn new(current: Current, server: String) -> Self {
        Self {
            current,
            server,
            columns: None,
            warned: false,
        }
    }

    /// The database in force. What is known of another one's table is forgotten.
    fn backend(&mut self) -> Backend {
        let (backend, another) = self.current.backend();
        if another {
            self.columns = None;
            self.warned = false;
        }
        backend
    }

    /// The columns we fill; `None`: there is no such table.
    async fn columns(
        &mut self,
        backend: &Backend,
    ) -> Result<Option<Vec<&'static str>>, StoreError> {
        if let Some(columns) = self.columns.take() {
            return Ok(Some(columns));
        }
        let present = backend.columns(TABLE).await?;
        let is_there = |name: &str| present.iter().any(|have| have.eq_ignore_ascii_case(name));
        if !is_there("id") || !is_there("uri") {
            if !std::mem::replace(&mut self.warned, true) {
                tracing::warn!(
                    "the database has no table {TABLE}: registered contacts are kept on the local disk \
                     alone; `sidetone db init` makes the table"
                );
            }
            return Ok(None);
        }
        let columns = COLUMNS.iter().map(|(name, _)| *name);
        Ok(Some(columns.filter(|name| is_there(name)).collect()))
    }

    async fn try_write(&mut self, rows: &Rows) -> Result<(), StoreError> {
        let backend = self.backend();
        let Some(columns) = self.columns(&backend).await? else {
            return Ok(());
        };
        let mut texts: Vec<Vec<Field>> = Vec::new();
        let mut removed = Vec::new();
        for (id, row) in rows {
            match row {
                Some(contact) => texts.push(self.fields(id, contact, &columns)),
                None => removed.push(encode(id)),
            }
        }
        let texts: Vec<Vec<Value<'_>>> = texts
            .iter()
            .map(|fields| fields.iter().map(Field::value).collect())
            .collect();
        let table = backend.table(TABLE);
        let mut transaction = backend.begin().await?;
        for removed in removed.chunks(DELETED_AT_ONCE_MAX) {
            let places = vec!["?"; removed.len()].join(", ");
            let sql = format!("DELETE FROM {table} WHERE id IN ({places})");
            let binds: Vec<Value<'_>> = removed.iter().map(Value::from).collect();
            transaction.execute(&sql, &binds).await?;
        }
        if !texts.is_empty()
            && let Err(error) = transaction.upsert(TABLE, "id", &columns, &texts).await
        {
            let _ = transaction.rollback().await;
            return Err(error);
        }
        transaction.commit().await?;
        self.columns = Some(columns);
        Ok(())
    }

    fn fields(&self, id: &str, contact: &SavedContact, columns: &[&str]) -> Vec<Field> {
        let fields = COLUMNS.iter().filter(|(name, _)| columns.contains(name));
        let fields = fields.map(|(name, most)| {
            let text = match *name {
                "id" => encode(id),
                "uri" => encode(&contact.uri),
                "expiration_time" => return Field::Number(contact.expiration_time),
                "path" => encode(&contact.path.join(",")),
                "user_agent" => encode(&contact.user_agent),
                "reg_server" => self.server.clone(),
                "via_addr" => contact.via_addr.clone(),
                "via_port" => return Field::Number(contact.via_port.into()),
                "call_id" => encode(&contact.call_id),
                "endpoint" => encode(&contact.endpoint),
                "prune_on_boot" if contact.prune_on_boot => "yes".to_owned(),
                "prune_on_boot" => "no".to_owned(),
                other => unreachable!("{other} is in the table above"),
            };
            // What is cut of an id or a URI would be another one: the database refuses those instead.
            let most = if matches!(*name, "id" | "uri") {
                usize::MAX
            } else {
                *most
            };
            Field::Text(text.replace('\0', "").chars().take(most).collect())
        });
        fields.collect()
    }
}

/// Ids in one statement.
const DELETED_AT_ONCE_MAX: usize = 200;

enum Field {
    Text(String),
    Number(i64),
}

impl Field {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(text),
            Self::Number(number) => Value::Int(*number),
        }
    }
}

impl ContactTable for PsContacts {
    async fn write(&mut self, rows: &Rows) -> Result<(), Refusal> {
        let done = self.try_write(rows).await;
        done.map_err(|error| match error.database() {
            Some((why, code)) if is_data_fault(&code) => Refusal::Row(why.to_owned()),
            _ => Refusal::Away(error.to_string()),
        })
    }

    async fn read(&mut self) -> Result<Vec<(String, SavedContact)>, Refusal> {
        let away = |error: StoreError| Refusal::Away(error.to_string());
        let backend = self.backend();
        let Some(columns) = self.columns(&backend).await.map_err(away)? else {
            return Ok(Vec::new());
        };
        if !columns.contains(&"reg_server") {
            return Ok(Vec::new());
        }
        let table = backend.table(TABLE);
        let sql = format!("SELECT * FROM {table} WHERE reg_server = ?");
        let server = self.server.as_str().into();
        let rows = backend.fetch(&sql, &[server]).await.map_err(away)?;
        Ok(rows.iter().filter_map(contact).collect())
    }
}

/// The contact in a row. One that cannot be read is as good as one nobody has.
fn contact(row: &Row) -> Option<(String, SavedContact)> {
    let id = decode(row.text("id")?);
    let field = |name: &str| decode(row.text(name).unwrap_or_default());
    let contact = SavedContact::from_fields(&id, field).unwrap_or_default();
    Some((id, contact))
}

/// As Asterisk writes texts into realtime tables: `;` and `^` mean something there.
fn encode(text: &str) -> String {
    text.replace('^', "^5E").replace(';', "^3B")
}

fn decode(text: &str) -> String {
    text.replace("^3B", ";").replace("^5E", "^")
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn semicolons_are_written_as_asterisk_writes_them() {
        assert_eq!(encode("a;@1^"), "a^3B@1^5E");
        assert_eq!(decode(&encode("x;^3B^^;")), "x;^3B^^;");
    }
}
