//! SELinux: whether it enforces, and what it denied the exchange lately.

use std::collections::BTreeSet;

use serde_json::json;

use crate::report::{Link, Outcome};
use crate::root::Root;

const NAME: &str = "selinux";

/// One `AVC … denied` line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Denial {
    permission: String,
    class: String,
    /// The domain that was refused.
    source: String,
    /// The type it was refused on.
    target: String,
    /// The port or path.
    object: String,
}

/// Reads the audit log as far as this user may.
pub(crate) async fn examine(root: &Root) -> Link {
    let mode = match root.number("/sys/fs/selinux/enforce") {
        Some(1) => "Enforcing".to_owned(),
        Some(_) => "Permissive".to_owned(),
        None => match root.tell("getenforce", &[]).await {
            Some(told) if told.done => told.stdout.trim().to_owned(),
            _ => return Link::skipped(NAME, "this system has no SELinux"),
        },
    };
    if mode == "Disabled" {
        return Link::skipped(NAME, "SELinux is disabled");
    }
    let log = match root.read_end("/var/log/audit/audit.log") {
        Ok(log) => log,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let mut link = Link::new(NAME, mode);
            link.note(
                "only root may read /var/log/audit/audit.log: run doctor as root to see denials",
            );
            return link;
        }
        Err(_) => {
            let asked = ["-m", "AVC", "-ts", "today", "-c", PROGRAM];
            let told = root.tell("ausearch", &asked).await;
            told.map(|told| told.stdout).unwrap_or_default()
        }
    };
    let denials: BTreeSet<Denial> = log.lines().filter_map(denial).collect();
    let mut link = Link::new(
        NAME,
        format!("{mode}, {} denials of {PROGRAM}", denials.len()),
    );
    let outcome = match mode.as_str() {
        "Enforcing" => Outcome::Failed,
        _ => Outcome::Warning,
    };
    for found in &denials {
        let Denial {
            permission,
            class,
            source,
            target,
            object,
        } = found;
        let sentence = format!(
            "SELinux denied {permission} on {class} {object} to the domain {source}: its type is {target}"
        );
        link.add(outcome, None, sentence, Some(cure(found)));
    }
    link.details = json!({ "mode": mode, "denials": denials.len() });
    link
}

/// `type=AVC msg=…: avc:  denied  { name_bind } for  pid=1 comm="sidetone" src=8089
/// scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket`
fn denial(line: &str) -> Option<Denial> {
    let after = line.split_once("avc:  denied  {")?.1;
    let (permission, rest) = after.split_once('}')?;
    let field = |name: &str| {
        let start = rest.find(&format!(" {name}="))? + name.len() + 2;
        let value = rest[start..].split(' ').next()?;
        Some(value.trim_matches('"').to_owned())
    };
    if field("comm")? != PROGRAM {
        return None;
    }
    let kind = |context: String| context.split(':').nth(2).map(str::to_owned);
    let object = field("src")
        .or_else(|| field("dest"))
        .or_else(|| field("path"));
    Some(Denial {
        permission: permission.trim().to_owned(),
        class: field("tclass")?,
        source: kind(field("scontext")?)?,
        target: kind(field("tcontext")?)?,
        object: object.or_else(|| field("name")).unwrap_or_default(),
    })
}

fn cure(denial: &Denial) -> String {
    let Denial {
        permission,
        class,
        source,
        object,
        ..
    } = denial;
    let layer = if class.starts_with("udp") {
        "udp"
    } else {
        "tcp"
    };
    match permission.as_str() {
        "name_bind" => {
            format!("run `semanage port -a -t sip_port_t -p {layer} {object}` (-m if it exists)")
        }
        "name_connect" => {
            format!("run `semanage port -a -t http_port_t -p {layer} {object}` (-m if it exists)")
        }
        _ if class == "file" || class == "dir" => format!(
            "run `semanage fcontext -a -t cert_t '{object}'` for a certificate (etc_t for a \
             configuration file), then `restorecon -v '{object}'`"
        ),
        _ => format!(
            "run `ausearch -m AVC -c {PROGRAM} | audit2allow -M {PROGRAM}` and read what it would allow {source} \
             before `semodule -i {PROGRAM}.pp`"
        ),
    }
}

/// The program's name in the audit log.
const PROGRAM: &str = "sidetone";

#[cfg(test)]
mod tests {
    use super::{cure, denial};

    #[test]
    fn a_denied_port_is_named_with_its_contexts() {
        let line = "type=AVC msg=audit(1.2:3): avc:  denied  { name_bind } for  pid=7 comm=\"sidetone\" src=8089 scontext=system_u:system_r:init_t:s0 tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket permissive=0";
        let found = denial(line).unwrap();
        assert_eq!(
            (found.source.as_str(), found.target.as_str()),
            ("init_t", "unreserved_port_t")
        );
        assert!(cure(&found).contains("semanage port -a -t sip_port_t -p tcp 8089"));
        assert!(denial(&line.replace("sidetone", "nginx")).is_none());
    }
}
