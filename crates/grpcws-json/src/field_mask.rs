//! The paths of a `FieldMask`: `foo_bar.baz` in the message, `fooBar.baz` in JSON.

/// Appends a path in its JSON form; `false` where it would not read back as the same path.
pub(crate) fn put_camel_case(out: &mut Vec<u8>, path: &[u8]) -> bool {
    if !is_dotted_name(path) {
        return false;
    }
    let mut upper = false;
    for &byte in path {
        match byte {
            // An underscore disappears, and only a lower-case letter can tell that it was there.
            _ if upper && !byte.is_ascii_lowercase() => return false,
            b'_' => upper = true,
            b'A'..=b'Z' => return false,
            _ => {
                out.push(if upper { byte.to_ascii_uppercase() } else { byte });
                upper = false;
            }
        }
    }
    !upper
}

/// Appends a path that is in its JSON form; `false` where it is not in that form.
pub(crate) fn put_snake_case(out: &mut Vec<u8>, path: &[u8]) -> bool {
    if !is_dotted_name(path) || path.contains(&b'_') {
        return false;
    }
    for &byte in path {
        if byte.is_ascii_uppercase() {
            out.push(b'_');
        }
        out.push(byte.to_ascii_lowercase());
    }
    true
}

/// Names of letters, digits and underscores that do not begin with a digit, with a dot between each two.
fn is_dotted_name(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'.').all(|name| {
        let valid = name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
        valid && name.first().is_some_and(|first| !first.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camel(path: &str) -> Option<String> {
        let mut out = Vec::new();
        put_camel_case(&mut out, path.as_bytes()).then(|| String::from_utf8(out).expect("ASCII"))
    }

    fn snake(path: &str) -> Option<String> {
        let mut out = Vec::new();
        put_snake_case(&mut out, path.as_bytes()).then(|| String::from_utf8(out).expect("ASCII"))
    }

    #[test]
    fn paths_round_trip() {
        for (in_message, in_json) in
            [("foo", "foo"), ("foo_bar.baz_q", "fooBar.bazQ"), ("a.b1.c", "a.b1.c"), ("_a", "A")]
        {
            assert_eq!(camel(in_message).as_deref(), Some(in_json));
            assert_eq!(snake(in_json).as_deref(), Some(in_message));
        }
    }

    #[test]
    fn paths_without_a_json_form() {
        for path in ["fooBar", "foo__bar", "foo_3_bar", "foo_", "foo_.bar", "", ".", "a.", "1a", "a b"] {
            assert_eq!(camel(path), None, "{path}");
        }
        for path in ["foo_bar", "", "a..b", "1a", "foo,bar", "foo*"] {
            assert_eq!(snake(path), None, "{path}");
        }
    }
}
