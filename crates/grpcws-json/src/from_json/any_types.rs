//! Where the types of `Any`s stand that were met while another one's type was looked for.
//!
//! An `Any` whose `@type` is not its first member is read ahead of, up to there. Whatever is nested in it is passed on the
//! way, and is not to be passed once more for each level: the places of the types in it are noted, so that every byte is
//! read ahead of once.

/// What reading ahead has found out.
#[derive(Default)]
pub(super) struct AnyTypes {
    /// Whether objects that are skipped are part of what is read ahead.
    pub(super) ahead: bool,
    /// Where objects begin whose member `@type` is not the first, and where its value stands: the object that is
    /// reached first is the last one.
    noted: Vec<(usize, usize)>,
    /// Everything before this was read ahead of, or is behind.
    end: usize,
}

impl AnyTypes {
    /// Begins to read ahead in the object at `start`. What was read ahead of before is not noted again.
    pub(super) fn begin(&mut self, start: usize) {
        self.ahead = start >= self.end;
        if self.ahead {
            self.noted.clear();
        }
    }

    /// Ends it, before `end`.
    pub(super) fn finish(&mut self, end: usize) {
        if std::mem::take(&mut self.ahead) {
            self.end = end;
            self.noted.sort_unstable_by_key(|&(start, _)| std::cmp::Reverse(start));
        }
    }

    /// The object at `start` has a type, whose value is at `type_at`.
    pub(super) fn note(&mut self, start: usize, type_at: usize) {
        self.noted.push((start, type_at));
    }

    /// Where the type of the object at `start` stands, if that was noted. Objects are asked for in the order of the text.
    pub(super) fn take(&mut self, start: usize) -> Option<usize> {
        while let Some(&(noted, type_at)) = self.noted.last()
            && noted <= start
        {
            self.noted.pop();
            if noted == start {
                return Some(type_at);
            }
        }
        None
    }
}
