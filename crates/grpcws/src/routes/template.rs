//! Path templates, as `google/api/http.proto` defines them.
//!
//! ```text
//! Template  = "/" [ Segments [ ":" Verb ] ]
//! Segments  = Segment { "/" Segment }
//! Segment   = "*" | "**" | Literal | Variable
//! Variable  = "{" FieldPath [ "=" Segments ] "}"
//! FieldPath = Name { "." Name }
//! ```

use super::decode;

/// The most segments of a template: matching recurses once for each.
const MAX_SEGMENTS: usize = 64;

/// A path template that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} (at byte {at} of the template)")]
#[non_exhaustive]
pub struct TemplateError {
    /// Where in the template, in bytes from 0.
    pub at: usize,
    /// What is wrong there.
    pub reason: &'static str,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) segments: Vec<Segment>,
    pub(super) variables: Vec<Variable>,
    pub(super) verb: Option<Box<str>>,
}

/// What one segment of a path has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// This text, decoded.
    Literal(Box<str>),
    /// `*`: anything but nothing.
    Any,
    /// `**`: any number of segments, to the end of the path.
    Rest,
}

/// A variable, and which segments it captures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) field_path: Box<str>,
    pub(super) first: usize,
    /// How many segments of the template.
    pub(super) count: usize,
    /// Whether the value may contain slashes: the pattern is more than one `*` or literal.
    pub(super) multiple: bool,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let (path, verb) = match verb_at(text) {
            Some(at) => (text.get(..at).unwrap_or_default(), Some(at + 1)),
            None => (text, None),
        };
        let mut parser = Parser { text: path, at: 0, segments: Vec::new(), variables: Vec::new() };
        if !parser.accept('/') {
            return Err(parser.error("a template begins with \"/\""));
        }
        // "/" alone, which the grammar does not have and gRPC-Gateway takes, is the root.
        if text != "/" {
            parser.segments(false)?;
        }
        if parser.at < path.len() {
            return Err(parser.error("expected \"/\""));
        }
        let verb = match verb {
            None => None,
            Some(at) => Some(literal(text.get(at..).unwrap_or_default(), at)?),
        };
        Ok(Self { segments: parser.segments, variables: parser.variables, verb })
    }

    /// Whether the template ends with `**`.
    pub(super) fn has_rest(&self) -> bool {
        self.segments.last() == Some(&Segment::Rest)
    }
}

/// Where the colon before the verb stands: the last one of the last segment, outside of a variable.
fn verb_at(text: &str) -> Option<usize> {
    let last = text.rfind(['/', '}']).map_or(0, |at| at + 1);
    Some(last + text.get(last..)?.rfind(':')?)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn accept(&mut self, character: char) -> bool {
        let found = self.rest().starts_with(character);
        if found {
            self.at += character.len_utf8();
        }
        found
    }

    fn error(&self, reason: &'static str) -> TemplateError {
        TemplateError { at: self.at, reason }
    }

    fn segments(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        loop {
            self.segment(in_variable)?;
            if !self.accept('/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, in_variable: bool) -> Result<(), TemplateError> {
        if self.segments.last() == Some(&Segment::Rest) {
            return Err(self.error("\"**\" is only possible as the last segment"));
        }
        if self.segments.len() >= MAX_SEGMENTS {
            return Err(self.error("more than 64 segments"));
        }
        if self.rest().starts_with('{') {
            if in_variable {
                return Err(self.error("a variable inside a variable"));
            }
            return self.variable();
        }
        let end = self.rest().find(['/', '{', '}']).unwrap_or(self.rest().len());
        let text = self.rest().get(..end).unwrap_or_default();
        self.segments.push(match text {
            "*" => Segment::Any,
            "**" => Segment::Rest,
            text => Segment::Literal(literal(text, self.at)?),
        });
        self.at += end;
        Ok(())
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        self.at += 1;
        let end = self.rest().find(['=', '}']).ok_or_else(|| self.error("a variable without \"}\""))?;
        let field_path = self.rest().get(..end).unwrap_or_default();
        if !field_path.split('.').all(is_name) {
            return Err(self.error("a variable is a path of field names with dots between them"));
        }
        if self.variables.iter().any(|variable| *variable.field_path == *field_path) {
            return Err(self.error("a variable occurs twice"));
        }
        self.at += end;
        let first = self.segments.len();
        if self.accept('=') {
            self.segments(true)?;
        } else {
            self.segments.push(Segment::Any);
        }
        if !self.accept('}') {
            return Err(self.error("expected \"/\" or \"}\""));
        }
        let count = self.segments.len() - first;
        let multiple = count > 1 || self.segments.last() == Some(&Segment::Rest);
        self.variables.push(Variable { field_path: field_path.into(), first, count, multiple });
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A literal's text without its escapes.
fn literal(text: &str, at: usize) -> Result<Box<str>, TemplateError> {
    let error = |reason| TemplateError { at, reason };
    if text.is_empty() {
        return Err(error("an empty segment"));
    }
    if text.contains(|character: char| {
        character.is_whitespace() || character.is_control() || "*{}?#\\".contains(character)
    }) {
        return Err(error("a literal has a character that it cannot have"));
    }
    match decode::segment(text) {
        Ok(literal) => Ok(literal.into()),
        Err(_) => Err(error("a literal is \".\", \"..\" or has an escape that is not valid")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(template: &str) -> String {
        let template = Template::parse(template).unwrap_or_else(|error| panic!("{template}: {error}"));
        let mut text = String::new();
        for (index, segment) in template.segments.iter().enumerate() {
            text.push('/');
            let starts = template.variables.iter().find(|variable| variable.first == index);
            if let Some(Variable { field_path, count, multiple, .. }) = starts {
                text.push_str(&format!("<{field_path} {count}{}>", if *multiple { " multiple" } else { "" }));
            }
            match segment {
                Segment::Literal(literal) => text.push_str(literal),
                Segment::Any => text.push('*'),
                Segment::Rest => text.push_str("**"),
            }
        }
        if let Some(verb) = &template.verb {
            text.push_str(&format!(" verb {verb}"));
        }
        text
    }

    #[test]
    fn templates_are_parsed() {
        for (template, expected) in [
            ("/", ""),
            ("/v1", "/v1"),
            ("/v1/books", "/v1/books"),
            ("/*/**", "/*/**"),
            ("/v1/{name}", "/v1/<name 1>*"),
            ("/v1/{name=*}", "/v1/<name 1>*"),
            ("/v1/{name=books}", "/v1/<name 1>books"),
            ("/v1/{name=shelves/*/books/*}", "/v1/<name 4 multiple>shelves/*/books/*"),
            ("/v1/{name=**}", "/v1/<name 1 multiple>**"),
            ("/v1/{a.b_c.d1}/{e=x/**}", "/v1/<a.b_c.d1 1>*/<e 2 multiple>x/**"),
            ("/v1/books:search", "/v1/books verb search"),
            ("/v1/{name=books/*}:archive", "/v1/<name 2 multiple>books/* verb archive"),
            ("/v1/**:watch", "/v1/** verb watch"),
            ("/v1/a:b/c", "/v1/a:b/c"),
            ("/v1/a:b:c", "/v1/a:b verb c"),
            ("/v1/{name=a:b/*}", "/v1/<name 2 multiple>a:b/*"),
            ("/v1/a%20b/ü", "/v1/a b/ü"),
        ] {
            assert_eq!(shown(template), expected, "{template}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (template, at, reason) in [
            ("", 0, "a template begins with \"/\""),
            ("v1", 0, "a template begins with \"/\""),
            ("//", 1, "an empty segment"),
            ("/v1//x", 4, "an empty segment"),
            ("/v1/", 4, "an empty segment"),
            ("/v1:", 4, "an empty segment"),
            ("/v1/**/x", 7, "\"**\" is only possible as the last segment"),
            ("/v1/{a=**}/x", 11, "\"**\" is only possible as the last segment"),
            ("/v1/{a", 5, "a variable without \"}\""),
            ("/v1/{a=b", 8, "expected \"/\" or \"}\""),
            ("/v1/{a={b}}", 7, "a variable inside a variable"),
            ("/v1/{}", 5, "a variable is a path of field names with dots between them"),
            ("/v1/{a..b}", 5, "a variable is a path of field names with dots between them"),
            ("/v1/{1a}", 5, "a variable is a path of field names with dots between them"),
            ("/v1/{a}/{a}", 9, "a variable occurs twice"),
            ("/v1/{a}b", 7, "expected \"/\""),
            ("/v1/b{a}", 5, "expected \"/\""),
            ("/v1/a}", 5, "expected \"/\""),
            ("/v1/{a}:b:c", 7, "expected \"/\""),
            ("/v1/a*", 4, "a literal has a character that it cannot have"),
            ("/v1/***", 4, "a literal has a character that it cannot have"),
            ("/v1/a b", 4, "a literal has a character that it cannot have"),
            ("/v1/a?b", 4, "a literal has a character that it cannot have"),
            ("/v1/x:*", 6, "a literal has a character that it cannot have"),
            ("/v1/..", 4, "a literal is \".\", \"..\" or has an escape that is not valid"),
            ("/v1/%2e%2E", 4, "a literal is \".\", \"..\" or has an escape that is not valid"),
            ("/v1/%zz", 4, "a literal is \".\", \"..\" or has an escape that is not valid"),
        ] {
            assert_eq!(Template::parse(template), Err(TemplateError { at, reason }), "{template}");
        }
        let long = "/x".repeat(65);
        assert_eq!(Template::parse(&long).expect_err("too long").reason, "more than 64 segments");
    }
}
