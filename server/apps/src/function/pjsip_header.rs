//! Headers of INVITEs and of their answers: `PJSIP_HEADER`, `PJSIP_HEADERS`, `PJSIP_RESPONSE_HEADER`,
//! `PJSIP_RESPONSE_HEADERS`.

use switch::{Channel, Function, SetError};

use super::arguments::parts;

/// Reads a header of the INVITE that brought the call; adds, changes and removes those of a call that is to go out.
pub(crate) static PJSIP_HEADER: Function = Function {
    name: "PJSIP_HEADER",
    synopsis: "A header of the INVITE that brought the call: PJSIP_HEADER(read,name[,number]), where `X-*` is any that \
               begins so; or of one that is to go out: `add`, `update`, `remove`",
    read: |call, arguments| read(&call.headers(), arguments),
    write: Some(write),
};

/// The names of those there are.
pub(crate) static PJSIP_HEADERS: Function = Function {
    name: "PJSIP_HEADERS",
    synopsis: "The names of the headers of the INVITE that begin so: PJSIP_HEADERS([beginning])",
    read: |call, begin| Some(names(&call.headers(), begin)),
    write: None,
};

/// The same of the answer.
pub(crate) static PJSIP_RESPONSE_HEADER: Function = Function {
    name: "PJSIP_RESPONSE_HEADER",
    synopsis: "A header of the 200 that answered a call of ours, for the subroutine of Dial's U: \
               PJSIP_RESPONSE_HEADER(read,name[,number])",
    read: |call, arguments| read(&call.answer_headers(), arguments),
    write: None,
};

/// The names of those there are.
pub(crate) static PJSIP_RESPONSE_HEADERS: Function = Function {
    name: "PJSIP_RESPONSE_HEADERS",
    synopsis: "The names of the headers of that 200 that begin so: PJSIP_RESPONSE_HEADERS([beginning])",
    read: |call, begin| Some(names(&call.answer_headers(), begin)),
    write: None,
};

/// Short forms of names (RFC 3261 §7.3.3).
const COMPACT: [(&str, &str); 12] = [
    ("v", "Via"),
    ("f", "From"),
    ("t", "To"),
    ("i", "Call-ID"),
    ("m", "Contact"),
    ("l", "Content-Length"),
    ("c", "Content-Type"),
    ("k", "Supported"),
    ("s", "Subject"),
    ("e", "Content-Encoding"),
    ("r", "Refer-To"),
    ("x", "Session-Expires"),
];

fn read(headers: &[(String, String)], arguments: &str) -> Option<String> {
    let [action, name, number] = parts(arguments);
    if !action.trim().eq_ignore_ascii_case("read") {
        return None;
    }
    let number = number_of(&number)?;
    let name = full(name.trim());
    let mut same = headers.iter().filter(|(own, _)| is(own, name));
    same.nth(number - 1).map(|(_, value)| value.clone())
}

fn names(headers: &[(String, String)], begin: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in headers
        .iter()
        .filter(|(name, _)| begins(name, begin.trim()))
    {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    names.join(",")
}

fn write(call: &mut Channel, arguments: &str, value: &str) -> Result<(), SetError> {
    let [action, name, number] = parts(arguments);
    let (action, name) = (action.trim().to_ascii_lowercase(), name.trim());
    let done = match action.as_str() {
        "add" => call.add_header(name, value),
        "update" => {
            let number = number_of(&number).ok_or(SetError::Function)?;
            call.change_header(name, number, value)
        }
        // How many there were does not matter.
        "remove" => {
            call.remove_headers(name);
            true
        }
        _ => false,
    };
    if done {
        Ok(())
    } else {
        Err(SetError::Function)
    }
}

/// Which of several it is; the first if nothing is said.
fn number_of(text: &str) -> Option<usize> {
    match text.trim() {
        "" => Some(1),
        text => text.parse().ok().filter(|number| *number > 0),
    }
}

fn full(name: &str) -> &str {
    let mut known = COMPACT.iter();
    let long = known.find(|(short, _)| short.eq_ignore_ascii_case(name));
    long.map_or(name, |(_, long)| long)
}

fn is(own: &str, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(begin) => begins(own, begin),
        None => own.eq_ignore_ascii_case(name),
    }
}

fn begins(own: &str, begin: &str) -> bool {
    let first = own.get(..begin.len());
    first.is_some_and(|first| first.eq_ignore_ascii_case(begin))
}

#[cfg(test)]
mod tests {
    use super::{names, read};

    #[test]
    fn headers_are_read_by_name_number_and_beginning() {
        let headers = [
            ("Via", "1"),
            ("Via", "2"),
            ("X-A", "a"),
            ("x-B", "b"),
            ("From", "me"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (arguments, expected) in [
            ("read,via", Some("1")),
            ("read,Via,2", Some("2")),
            ("read,v,2", Some("2")),
            ("read,Via,3", None),
            ("read,Via,0", None),
            ("read,X-*", Some("a")),
            ("read,X-*,2", Some("b")),
            ("read,f", Some("me")),
            ("add,Via", None),
            ("Via", None),
        ] {
            assert_eq!(
                read(&headers, arguments).as_deref(),
                expected,
                "{arguments}"
            );
        }
        assert_eq!(names(&headers, ""), "Via,X-A,x-B,From");
        assert_eq!(names(&headers, "x-"), "X-A,x-B");
    }
}
