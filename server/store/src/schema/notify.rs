//! PostgreSQL says at once what changed.

/// The channel it is said on.
pub(crate) const CHANNEL: &str = "sidetone";

/// The trigger that says it.
pub(crate) const TRIGGER: &str = "sidetone_changed";

/// The tables whose changes are said.
pub(crate) const WATCHED: [&str; 5] = [
    "ps_endpoints",
    "ps_auths",
    "ps_aors",
    "ps_endpoint_id_ips",
    "extensions",
];

/// The statements that make the trigger for the given tables; they may be run again.
pub(crate) fn notify_statements(tables: &[String]) -> Vec<String> {
    let mut statements = vec![format!(
        "CREATE OR REPLACE FUNCTION sidetone_changed() RETURNS trigger LANGUAGE plpgsql AS $$\n\
         BEGIN\n    PERFORM pg_notify('{CHANNEL}', TG_TABLE_NAME);\n    RETURN NULL;\nEND\n$$"
    )];
    for table in tables {
        statements.push(format!("DROP TRIGGER IF EXISTS {TRIGGER} ON {table}"));
        // One word for each statement, however many rows it changes.
        statements.push(format!(
            "CREATE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} \
             FOR EACH STATEMENT EXECUTE FUNCTION sidetone_changed()"
        ));
    }
    // An exchange that runs looks whether it may rely on them now.
    statements.push(format!("NOTIFY {CHANNEL}"));
    statements
}
