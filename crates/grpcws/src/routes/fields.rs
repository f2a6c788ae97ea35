//! The fields that a request sets by its path and its query.

use std::collections::{BTreeMap, BTreeSet};

use grpcws_json::FieldDescriptor;

use super::error::{FieldError, Source, shortened};
use super::field_path::FieldPath;
use super::value;

/// Fields of one message, by their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    entries: BTreeMap<u32, Entry>,
}

#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// The field's records as they stand in a message, and the keys of a map's entries.
    Value { records: Vec<u8>, source: Source, keys: BTreeSet<Vec<u8>> },
    /// A message of which some fields are set.
    Message { field: FieldDescriptor, fields: Fields },
    /// Not set, since another field of its oneof is.
    Displaced,
}

impl Fields {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.entries.iter().map(|(&number, entry)| (number, entry))
    }

    pub(super) fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(&number)
    }

    /// Sets a field; one that is a list gets another value. What another source has set, stays.
    pub(super) fn set(&mut self, path: &FieldPath, text: &str, source: Source) -> Result<(), FieldError> {
        let mut fields = self;
        for parent in &path.parents {
            fields = fields.inside(parent)?;
        }
        match &path.key {
            Some(key) => fields.set_entry(&path.field, key, text, source),
            None => fields.set_here(&path.field, text, source),
        }
    }

    /// Takes a field for another source, whose value is not known yet.
    pub(super) fn reserve(&mut self, path: &FieldPath, source: Source) -> Result<(), FieldError> {
        let mut fields = self;
        for parent in &path.parents {
            fields = fields.inside(parent)?;
        }
        fields.insert(&path.field, Vec::new(), source)
    }

    fn inside(&mut self, field: &FieldDescriptor) -> Result<&mut Self, FieldError> {
        let number = field.number();
        if !self.entries.contains_key(&number) {
            self.displace(field);
            let entry = Entry::Message { field: field.clone(), fields: Self::default() };
            self.entries.insert(number, entry);
        }
        match self.entries.get_mut(&number) {
            Some(Entry::Message { fields, .. }) => Ok(fields),
            Some(Entry::Value { source, .. }) => Err(FieldError::Taken(*source)),
            Some(Entry::Displaced) | None => Err(FieldError::Oneof),
        }
    }

    fn set_here(&mut self, field: &FieldDescriptor, text: &str, source: Source) -> Result<(), FieldError> {
        match self.entries.get_mut(&field.number()) {
            Some(Entry::Value { records, source: before, .. })
                if field.is_repeated() && *before == source =>
            {
                value::put(field, text, records)
            }
            _ => {
                let mut records = Vec::new();
                value::put(field, text, &mut records)?;
                self.insert(field, records, source)
            }
        }
    }

    fn set_entry(
        &mut self,
        field: &FieldDescriptor,
        key: &str,
        text: &str,
        source: Source,
    ) -> Result<(), FieldError> {
        if !self.entries.contains_key(&field.number()) {
            self.insert(field, Vec::new(), source)?;
        }
        match self.entries.get_mut(&field.number()) {
            Some(Entry::Value { records, source: before, keys }) if *before == source => {
                if !keys.insert(value::put_entry(field, key, text, records)?) {
                    return Err(FieldError::Key { key: shortened(key) });
                }
                Ok(())
            }
            _ => self.insert(field, Vec::new(), source),
        }
    }

    /// Sets a field that is not set yet.
    fn insert(
        &mut self,
        field: &FieldDescriptor,
        records: Vec<u8>,
        source: Source,
    ) -> Result<(), FieldError> {
        match self.entries.get(&field.number()) {
            None => {}
            Some(Entry::Value { source, .. }) => return Err(FieldError::Taken(*source)),
            Some(Entry::Message { fields, .. }) => return Err(FieldError::Taken(fields.source())),
            Some(Entry::Displaced) => return Err(FieldError::Oneof),
        }
        self.displace(field);
        self.entries.insert(field.number(), Entry::Value { records, source, keys: BTreeSet::new() });
        Ok(())
    }

    fn displace(&mut self, field: &FieldDescriptor) {
        for sibling in field.oneof_siblings() {
            self.entries.insert(sibling, Entry::Displaced);
        }
    }

    /// Who has set a field of this message first, by number.
    fn source(&self) -> Source {
        let sources = self.entries.values().filter_map(|entry| match entry {
            Entry::Value { source, .. } => Some(*source),
            Entry::Message { fields, .. } => Some(fields.source()),
            Entry::Displaced => None,
        });
        sources.min_by_key(|source| *source as u8).unwrap_or(Source::Query)
    }
}
