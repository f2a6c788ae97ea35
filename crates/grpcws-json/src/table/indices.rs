//! The indices of a message type, and the texts of its keys.

use super::{Field, MessageType, NONE, NameIndex, Shape};

/// A message type with its indices; `fields` are in the order of their numbers.
pub(super) fn finished(
    full_name: Box<str>,
    shape: Shape,
    mut fields: Vec<Field>,
    oneofs: Vec<Box<str>>,
    map_entry: bool,
) -> MessageType {
    for field in &mut fields {
        let tag = field.number << 3 | u32::from(field.wire_type);
        field.tag_byte = if tag < 0x80 && !field.closed_enum { tag } else { NONE };
    }
    let room = u32::try_from(4 * fields.len() + 16).unwrap_or(NONE);
    let mut by_small_number = Vec::new();
    let mut names = NameIndex::default();
    for (index, field) in (0..).zip(&fields) {
        if field.number < room {
            by_small_number.resize(field.number as usize, NONE);
            by_small_number.push(index);
        }
        names.insert(&field.json_name, index);
    }
    for (index, field) in (0..).zip(&fields) {
        names.insert(&field.name, index);
    }
    let required = (0..).zip(&fields).filter(|(_, field)| field.required).map(|(index, _)| index).collect();
    MessageType {
        full_name,
        shape,
        fields,
        by_small_number,
        names,
        oneofs,
        required,
        extension_ranges: Box::default(),
        declared_first: NONE,
        map_entry,
    }
}

/// Chains the fields in the order of `declared`, which are their numbers.
pub(super) fn link_declared(message: &mut MessageType, declared: &[u32]) {
    let mut next = NONE;
    for &number in declared.iter().rev() {
        let Some((index, _)) = message.field_by_number(number) else {
            continue;
        };
        if let Some(field) = message.fields.get_mut(index as usize) {
            field.declared_next = next;
        }
        next = index;
    }
    message.declared_first = next;
}

/// The JSON name of a field without a `json_name`.
pub(super) fn camel_case(name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
        } else if upper {
            result.push(character.to_ascii_uppercase());
            upper = false;
        } else {
            result.push(character);
        }
    }
    result
}
