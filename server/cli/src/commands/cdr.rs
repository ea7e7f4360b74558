//! `cdr show status`, `cdr submit`: call detail records, in Asterisk's shape.

use store::{Records, RecordsHealth};

use crate::command::{Command, Outcome, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW_STATUS: Command = Command {
    path: "cdr show status",
    takes: Takes::Nothing,
    synopsis: "Display the CDR status",
    doc: "Displays the Call Detail Record engine system status: the settings of cdr.conf, where the\n\
          records go, how full the journal is, and what waits in it.",
    run: |exchange, _| Box::pin(async { show_status(exchange) }),
};

pub(crate) static SUBMIT: Command = Command {
    path: "cdr submit",
    takes: Takes::Nothing,
    synopsis: "Posts all pending batched CDR data",
    doc: "Posts all pending batched CDR data to the database now.",
    run: |exchange, _| Box::pin(async { submit(exchange) }),
};

fn submit(exchange: &Exchange) -> Outcome {
    let Some(records) = exchange.parts.switch.store().records() else {
        return Outcome::Failed("Call records are not kept.\n".to_owned());
    };
    records.submit();
    Outcome::Done(
        "Submitted CDRs to backend engines for processing.  This may take a while.\n".to_owned(),
    )
}

fn show_status(exchange: &Exchange) -> Outcome {
    let store = exchange.parts.switch.store();
    let config = store.config();
    let cdr = &config.cdr;
    let records = store.records();
    let health = records.as_ref().map(Records::health).unwrap_or_default();
    let enabled = |yes| if yes { "Enabled" } else { "Disabled" };
    let yes = |yes| if yes { "Yes" } else { "No" };
    let mode = if cdr.batch { "Batch" } else { "Simple" };
    let mut text = format!(
        "\nCall Detail Record (CDR) settings\n\
         ----------------------------------\n  \
         Logging:                    {}\n  \
         Mode:                       {mode}\n",
        enabled(cdr.enable),
    );
    if cdr.enable {
        text.push_str(&format!(
            "  Log calls by default:       {}\n  \
             Log unanswered calls:       {}\n  \
             Log congestion:             {}\n\n  \
             Ignore bridging changes:    {}\n\n  \
             Ignore dial state changes:  {}\n\n",
            yes(cdr.channel_default_enabled),
            yes(cdr.unanswered),
            yes(cdr.congestion),
            yes(cdr.ignore_state_changes),
            yes(cdr.ignore_dial_changes),
        ));
        if cdr.batch {
            text.push_str(&batch(
                cdr.batch_size,
                cdr.batch_time_s,
                health.journal.pending,
            ));
        }
        text.push_str("* Registered Backends\n  -------------------\n");
        let backend = store.backend().map(|backend| backend.status());
        text.push_str(&match (backend, &records) {
            (Some(status), Some(_)) => {
                let suspended = if health.error.is_some() {
                    " (suspended) "
                } else {
                    ""
                };
                format!("    {} {}{suspended}\n", status.dialect.name(), status.url)
            }
            (None, _) | (_, None) => "    (none)\n".to_owned(),
        });
        text.push('\n');
    }
    if records.is_some() {
        text.push_str(&journal(&health));
    }
    Outcome::Done(text)
}

fn batch(size: u32, time_s: u32, pending: usize) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "* Batch Mode Settings\n  \
         -------------------\n  \
         Safe shutdown:              Enabled\n  \
         Threading model:            Scheduler only\n  \
         Current batch size:         {pending} record{}\n  \
         Maximum batch size:         {size} record{}\n  \
         Maximum batch time:         {time_s} second{}\n\n",
        plural(pending),
        plural(size as usize),
        plural(time_s as usize),
    )
}

/// What Asterisk has not.
fn journal(health: &RecordsHealth) -> String {
    let journal = &health.journal;
    let percent = journal.bytes * 100 / journal.bytes_max.max(1);
    let mut text = format!(
        "* Journal\n  \
         -------------------\n  \
         Size:                       {} of {} bytes ({percent} %)\n  \
         Waiting for the database:   {}\n  \
         Calls not over:             {}\n  \
         Delivered since the start:  {}\n  \
         Refused since the start:    {}\n  \
         Lost since the start:       {}\n",
        journal.bytes,
        journal.bytes_max,
        journal.pending,
        journal.open,
        health.delivered,
        health.refused,
        journal.lost,
    );
    if let Some(trouble) = health.trouble() {
        text.push_str(&format!("  Degraded:                   {trouble}\n"));
    }
    text.push('\n');
    text
}
