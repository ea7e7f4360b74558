//! `acl show`: the lists of addresses of acl.conf.

use config::AddressList;

use crate::command::{Command, Outcome, Slot, Takes};
use crate::exchange::Exchange;

pub(crate) static SHOW: Command = Command {
    path: "acl show",
    takes: Takes::Form(&[Slot::Optional, Slot::Any("name")]),
    synopsis: "Show a named ACL or list all named ACLs",
    doc: "Lists the sections of acl.conf; with a name, the lines of that one in their order. The last one that\n\
          holds an address decides.",
    run: |exchange, words| Box::pin(async { show(exchange, words.first()) }),
};

fn show(exchange: &Exchange, name: Option<&String>) -> Outcome {
    let config = exchange.config();
    let lists = &config.named_acls;
    let Some(name) = name else {
        let names: String = lists.keys().map(|name| format!("{name}\n")).collect();
        return Outcome::Done(format!("\nacl\n---\n{names}"));
    };
    match lists.get(name) {
        Some(list) => Outcome::Done(one(name, list)),
        None => Outcome::Missing(format!("\nCould not find the named ACL '{name}'\n")),
    }
}

fn one(name: &str, list: &AddressList) -> String {
    let rule = "-".repeat(45);
    let mut text = format!("\nACL: {name}\n{rule}\n");
    for (index, rule) in list.rules().iter().enumerate() {
        let way = if rule.permit { "allow" } else { " deny" };
        text.push_str(&format!("{index:3}: {way} - {}\n", rule.network));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_list_has_its_lines_in_their_order() {
        let files = [(
            "acl.conf",
            "[office]\ndeny=0.0.0.0/0.0.0.0\npermit=192.0.2.0/24\n",
        )];
        let config = config::load(&files.as_slice()).0.unwrap();
        let rule = "-".repeat(45);
        let expected =
            format!("\nACL: office\n{rule}\n  0:  deny - 0.0.0.0/0\n  1: allow - 192.0.2.0/24\n");
        assert_eq!(super::one("office", &config.named_acls["office"]), expected);
    }
}
