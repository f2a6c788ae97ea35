//! The comments of a `.proto` file, by what they are about.

use std::collections::HashMap;

use crate::descriptors::DescriptorFile;

/// The comments of one file. The key is the path of `SourceCodeInfo`: the numbers of the fields and the indexes that lead
/// from the descriptor of the file to what the comment is about.
#[derive(Debug, Default)]
pub(super) struct Comments(HashMap<Vec<i32>, String>);

impl Comments {
    /// Those that the descriptor has. What a server tells by reflection often has none.
    pub(super) fn of(file: &DescriptorFile) -> Self {
        let locations = file.source_info().unwrap_or_default().location;
        let commented = locations.into_iter().filter_map(|location| {
            // A comment may be above of what it is about, behind it, or both.
            let both = [location.leading_comments, location.trailing_comments];
            let text: Vec<_> = both.into_iter().flatten().collect();
            (!text.is_empty()).then(|| (location.path, text.concat()))
        });
        Self(commented.collect())
    }

    /// The lines about what is at this path, without the blank that most begin with.
    pub(super) fn at(&self, path: &[i32]) -> impl Iterator<Item = &str> {
        let text = self.0.get(path).map_or("", |text| text.trim_end());
        text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
    }
}
