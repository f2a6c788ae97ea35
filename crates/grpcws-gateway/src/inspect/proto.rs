//! Writes descriptors as the source of a `.proto` file.
//!
//! Types have their full names. Of the options, those are written that matter to who calls: `deprecated`,
//! `json_name`, defaults, `packed`, `allow_alias` and `google.api.http`.

use grpcws::services::{HttpRule, Method, Service};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto};

use super::comments::Comments;
use super::style::{Part, Style};
use super::symbol::{is_map_entry, tag};
use crate::terminal::printable;

/// The end of a range that goes as far as numbers go.
const MAX_FIELD_NUMBER: i32 = (1 << 29) - 1;

/// A text that grows line by line.
pub(super) struct Writer {
    text: String,
    indent: usize,
    style: Style,
    /// Those of the file that is written from.
    comments: Comments,
    /// What is written, as a path of `SourceCodeInfo`.
    path: Vec<i32>,
}

impl Writer {
    pub(super) fn new(style: Style) -> Self {
        Self { text: String::new(), indent: 0, style, comments: Comments::default(), path: Vec::new() }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn comment(&mut self, text: &str) {
        let text = self.style.paint(Part::Comment, format!("// {text}").trim_end());
        self.line(&text);
    }

    /// What follows is from a file with these comments, where it is at this path.
    pub(super) fn from(&mut self, comments: Comments, path: &[i32]) {
        self.comments = comments;
        path.clone_into(&mut self.path);
    }

    /// Writes the comments of what is written.
    pub(super) fn comments(&mut self) {
        let lines: Vec<String> = self.comments.at(&self.path).map(str::to_owned).collect();
        lines.iter().for_each(|line| self.comment(line));
    }

    /// Writes something that is declared below what is written, with its comments in front.
    fn below(&mut self, tag: i32, index: i32, write: impl FnOnce(&mut Self)) {
        self.path.extend([tag, index]);
        self.comments();
        write(self);
        self.path.truncate(self.path.len().saturating_sub(2));
    }

    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("  ", self.indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn keyword(&self, text: &str) -> String {
        self.style.paint(Part::Keyword, text)
    }

    fn name(&self, text: &str) -> String {
        self.style.paint(Part::Name, text)
    }

    fn type_name(&self, text: &str) -> String {
        self.style.paint(Part::Type, text.strip_prefix('.').unwrap_or(text))
    }

    /// `HEAD {`, the content, `}`; or `HEAD {}` where there is none.
    fn block(&mut self, head: &str, content: impl FnOnce(&mut Self)) {
        self.line(&format!("{head} {{"));
        let start = self.text.len();
        self.indent += 1;
        content(self);
        self.indent -= 1;
        if self.text.len() == start {
            self.text.pop();
            self.text.push_str("}\n");
        } else {
            self.line("}");
        }
    }

    fn option(&mut self, name: &str, value: &str) {
        let keyword = self.keyword("option");
        self.line(&format!("{keyword} {name} = {value};"));
    }

    /// A service with these of its methods, each with its index.
    pub(super) fn service<'a>(
        &mut self,
        service: &Service,
        methods: impl Iterator<Item = (i32, &'a Method)>,
    ) {
        let own_name = service.full_name().rsplit('.').next().unwrap_or_default();
        let head = format!("{} {}", self.keyword("service"), self.name(own_name));
        self.block(&head, |writer| {
            if service.is_deprecated() {
                writer.option("deprecated", "true");
            }
            for (index, method) in methods {
                writer.below(tag::METHOD, index, |writer| writer.method(method));
            }
        });
    }

    fn method(&mut self, method: &Method) {
        let stream = |streams: bool| if streams { self.keyword("stream") + " " } else { String::new() };
        let kind = method.kind();
        let head = format!(
            "{} {}({}{}) {} ({}{})",
            self.keyword("rpc"),
            self.name(method.name()),
            stream(kind.is_client_streaming()),
            self.type_name(method.request().full_name()),
            self.keyword("returns"),
            stream(matches!(kind, grpcws::MethodKind::ServerStreaming | grpcws::MethodKind::Bidi)),
            self.type_name(method.response().full_name()),
        );
        if !method.is_deprecated() && method.http_rules().is_empty() {
            return self.line(&format!("{head};"));
        }
        self.block(&head, |writer| {
            if method.is_deprecated() {
                writer.option("deprecated", "true");
            }
            if let [first, additional @ ..] = method.http_rules() {
                writer.http(first, additional);
            }
        });
    }

    fn http(&mut self, first: &HttpRule, additional: &[HttpRule]) {
        let keyword = self.keyword("option");
        self.line(&format!("{keyword} (google.api.http) = {{"));
        self.indent += 1;
        self.rule(first);
        for rule in additional {
            self.block("additional_bindings", |writer| writer.rule(rule));
        }
        self.indent -= 1;
        self.line("};");
    }

    fn rule(&mut self, rule: &HttpRule) {
        match rule.verb() {
            verb @ ("GET" | "PUT" | "POST" | "DELETE" | "PATCH") => {
                self.line(&format!("{}: {:?}", verb.to_ascii_lowercase(), rule.path()));
            }
            kind => self.line(&format!("custom {{kind: {kind:?} path: {:?}}}", rule.path())),
        }
        for (name, value) in [("body", rule.body()), ("response_body", rule.response_body())] {
            if let Some(value) = value {
                self.line(&format!("{name}: {value:?}"));
            }
        }
    }

    /// A message of a file with this syntax.
    pub(super) fn message(&mut self, message: &DescriptorProto, syntax: &str) {
        let head = format!("{} {}", self.keyword("message"), self.name(message.name()));
        self.block(&head, |writer| writer.message_body(message, syntax));
    }

    fn message_body(&mut self, message: &DescriptorProto, syntax: &str) {
        if message.options.as_ref().is_some_and(prost_types::MessageOptions::deprecated) {
            self.option("deprecated", "true");
        }
        let is_group = |nested: &&DescriptorProto| {
            message.field.iter().any(|field| field.r#type() == Type::Group && names(field, nested))
        };
        for (index, nested) in (0..).zip(&message.nested_type) {
            if !is_map_entry(nested) && !is_group(&nested) {
                self.below(tag::NESTED, index, |writer| writer.message(nested, syntax));
            }
        }
        for (index, found) in (0..).zip(&message.enum_type) {
            self.below(tag::NESTED_ENUM, index, |writer| writer.enumeration(found));
        }
        let mut written = Vec::new();
        for (index, field) in (0..).zip(&message.field) {
            match field.oneof_index.filter(|_| !field.proto3_optional()) {
                None => self.below(tag::FIELD, index, |writer| writer.field(field, message, syntax)),
                Some(oneof) if written.contains(&oneof) => {}
                Some(oneof) => {
                    written.push(oneof);
                    self.below(tag::ONEOF, oneof, |writer| writer.oneof(oneof, message, syntax));
                }
            }
        }
        self.ranges(message);
    }

    fn oneof(&mut self, index: i32, message: &DescriptorProto, syntax: &str) {
        let found = usize::try_from(index).ok().and_then(|index| message.oneof_decl.get(index));
        let own_name = found.map_or("", prost_types::OneofDescriptorProto::name);
        let head = format!("{} {}", self.keyword("oneof"), self.name(own_name));
        // Its fields are the message's.
        let at = self.path.len().saturating_sub(2);
        let own = self.path.split_off(at);
        self.block(&head, |writer| {
            for (number, field) in (0..).zip(&message.field) {
                if field.oneof_index == Some(index) {
                    writer.below(tag::FIELD, number, |writer| writer.field(field, message, syntax));
                }
            }
        });
        self.path.extend(own);
    }

    fn field(&mut self, field: &FieldDescriptorProto, message: &DescriptorProto, syntax: &str) {
        let nested = message.nested_type.iter().find(|nested| names(field, nested));
        let number = field.number();
        let options = field_options(field);
        if let Some([key, value]) =
            nested.filter(|nested| is_map_entry(nested)).map(|nested| &nested.field[..])
        {
            let (key, value) = (self.type_of(key), self.type_of(value));
            let name = self.name(field.name());
            return self.line(&format!("map<{key}, {value}> {name} = {number}{options};"));
        }
        let label = match field.label() {
            Label::Repeated => "repeated",
            Label::Required => "required",
            Label::Optional if field.proto3_optional() => "optional",
            Label::Optional if matches!(syntax, "" | "proto2") && field.oneof_index.is_none() => "optional",
            Label::Optional => "",
        };
        let label = if label.is_empty() { String::new() } else { self.keyword(label) + " " };
        match nested.filter(|_| field.r#type() == Type::Group) {
            Some(group) => {
                let head = format!(
                    "{label}{} {} = {number}{options}",
                    self.keyword("group"),
                    self.name(group.name())
                );
                self.block(&head, |writer| writer.message_body(group, syntax));
            }
            None => {
                let (kind, name) = (self.type_of(field), self.name(field.name()));
                self.line(&format!("{label}{kind} {name} = {number}{options};"));
            }
        }
    }

    fn type_of(&self, field: &FieldDescriptorProto) -> String {
        match field.r#type() {
            Type::Message | Type::Enum | Type::Group => self.type_name(field.type_name()),
            // `TYPE_SFIXED64` → `sfixed64`
            scalar => self.keyword(&scalar.as_str_name().trim_start_matches("TYPE_").to_ascii_lowercase()),
        }
    }

    fn ranges(&mut self, message: &DescriptorProto) {
        // The ends of both are exclusive.
        let reserved =
            message.reserved_range.iter().map(|range| (range.start(), range.end().saturating_sub(1)));
        self.range_list("reserved", reserved.map(|range| shown_range(range, MAX_FIELD_NUMBER)));
        self.range_list("reserved", message.reserved_name.iter().map(|name| format!("{name:?}")));
        let extensions =
            message.extension_range.iter().map(|range| (range.start(), range.end().saturating_sub(1)));
        self.range_list("extensions", extensions.map(|range| shown_range(range, MAX_FIELD_NUMBER)));
    }

    fn range_list(&mut self, keyword: &str, ranges: impl Iterator<Item = String>) {
        let ranges: Vec<_> = ranges.collect();
        if !ranges.is_empty() {
            let keyword = self.keyword(keyword);
            self.line(&format!("{keyword} {};", ranges.join(", ")));
        }
    }

    pub(super) fn enumeration(&mut self, found: &EnumDescriptorProto) {
        let head = format!("{} {}", self.keyword("enum"), self.name(found.name()));
        self.block(&head, |writer| {
            let options = found.options.as_ref();
            if options.is_some_and(prost_types::EnumOptions::allow_alias) {
                writer.option("allow_alias", "true");
            }
            if options.is_some_and(prost_types::EnumOptions::deprecated) {
                writer.option("deprecated", "true");
            }
            for (index, value) in (0..).zip(&found.value) {
                let deprecated =
                    value.options.as_ref().is_some_and(prost_types::EnumValueOptions::deprecated);
                let options = if deprecated { " [deprecated = true]" } else { "" };
                let line = format!("{} = {}{options};", writer.name(value.name()), value.number());
                writer.below(tag::VALUE, index, |writer| writer.line(&line));
            }
            let reserved = found.reserved_range.iter().map(|range| (range.start(), range.end()));
            writer.range_list("reserved", reserved.map(|range| shown_range(range, i32::MAX)));
            writer.range_list("reserved", found.reserved_name.iter().map(|name| format!("{name:?}")));
        });
    }
}

/// Whether the type of a field is this message that is nested in the field's own.
fn names(field: &FieldDescriptorProto, nested: &DescriptorProto) -> bool {
    matches!(field.r#type(), Type::Message | Type::Group)
        && field.type_name().rsplit('.').next() == Some(nested.name())
}

fn shown_range((start, end): (i32, i32), max: i32) -> String {
    match end {
        end if end == start => start.to_string(),
        end if end >= max => format!("{start} to max"),
        end => format!("{start} to {end}"),
    }
}

/// ` [name = value, …]`, or nothing.
fn field_options(field: &FieldDescriptorProto) -> String {
    let mut options = Vec::new();
    if let Some(default) = &field.default_value {
        options.push(match field.r#type() {
            Type::String => format!("default = {default:?}"),
            // Escaped already.
            Type::Bytes => format!("default = \"{}\"", printable(default)),
            _ => format!("default = {}", printable(default)),
        });
    }
    if let Some(packed) = field.options.as_ref().and_then(|options| options.packed) {
        options.push(format!("packed = {packed}"));
    }
    if field.json_name.as_ref().is_some_and(|json_name| *json_name != camel_case(field.name())) {
        options.push(format!("json_name = {:?}", field.json_name()));
    }
    if field.options.as_ref().is_some_and(prost_types::FieldOptions::deprecated) {
        options.push("deprecated = true".to_owned());
    }
    if options.is_empty() { String::new() } else { format!(" [{}]", options.join(", ")) }
}

/// The JSON name of a field without the option.
fn camel_case(name: &str) -> String {
    let mut upper = false;
    name.chars().fold(String::with_capacity(name.len()), |mut result, character| {
        match character {
            '_' => upper = true,
            character if std::mem::take(&mut upper) => result.push(character.to_ascii_uppercase()),
            character => result.push(character),
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use prost_types::descriptor_proto::{ExtensionRange, ReservedRange};

    use super::*;

    #[test]
    fn ranges_may_hold_any_number() {
        let reserved = |start, end| ReservedRange { start: Some(start), end: Some(end) };
        let message = DescriptorProto {
            name: Some("A".to_owned()),
            reserved_range: vec![reserved(2, 3), reserved(5, i32::MIN)],
            extension_range: vec![ExtensionRange {
                start: Some(9),
                end: Some(i32::MAX),
                ..Default::default()
            }],
            ..Default::default()
        };
        let mut writer = Writer::new(Style::Plain);
        writer.message(&message, "proto2");
        let expected = "message A {\n  reserved 2, 5 to -2147483648;\n  extensions 9 to max;\n}\n";
        assert_eq!(writer.finish(), expected);
    }
}
