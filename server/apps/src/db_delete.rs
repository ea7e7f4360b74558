//! `DBdel` and `DBdeltree`.

use switch::{AppResult, Application, Args, Channel};

use crate::arguments::warn;

/// Removes an entry.
pub(crate) static DB_DEL: Application = Application {
    name: "DBdel",
    synopsis: "Remove an entry of the dial plan's own database",
    doc: include_str!("db_del.md"),
    run: |call, args| Box::pin(del(call, args)),
};

/// Removes a family.
pub(crate) static DB_DEL_TREE: Application = Application {
    name: "DBdeltree",
    synopsis: "Remove a family of the dial plan's own database, or what begins so",
    doc: include_str!("db_deltree.md"),
    run: |call, args| Box::pin(tree(call, args)),
};

async fn del(call: &mut Channel, args: Args<'_>) -> AppResult {
    match args.text().trim().split_once('/') {
        Some((family, key)) if !family.is_empty() && !key.is_empty() => {
            if let Some(database) = call.switch().store().astdb() {
                drop(database.remove(family, key));
                // It may have said what waits in a mailbox.
                call.switch().directory().changed();
            }
        }
        _ => warn(call, "DBdel", &args, "write it as DBdel(family/key)"),
    }
    Ok(())
}

async fn tree(call: &mut Channel, args: Args<'_>) -> AppResult {
    let text = args.text().trim();
    let (family, below) = match text.split_once('/') {
        Some((family, below)) => (family, Some(below)),
        None => (text, None),
    };
    if family.is_empty() {
        warn(call, "DBdeltree", &args, "write it as DBdeltree(family)");
    } else if let Some(database) = call.switch().store().astdb() {
        database.remove_tree(family, below);
        call.switch().directory().changed();
    }
    Ok(())
}
