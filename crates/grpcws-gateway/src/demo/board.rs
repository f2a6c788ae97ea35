//! The board: who owns which cell, and where the gems lie.

use std::hash::{BuildHasher, RandomState};

use super::proto::{Direction, Gem, GemKind, Position};

/// Columns.
pub(crate) const WIDTH: i32 = 16;
/// Rows.
pub(crate) const HEIGHT: i32 = 12;
/// Gems on the board at any time.
pub(crate) const GEMS: usize = 6;

/// The number of a seat, below [`super::game::SEATS`].
pub(crate) type Seat = u8;

/// The cells and gems of one round.
#[derive(Debug)]
pub(crate) struct Board {
    /// Owners by cell number, `y * WIDTH + x`.
    owners: Vec<Option<Seat>>,
    gems: Vec<Gem>,
    random: Random,
}

impl Board {
    /// An empty board without gems; `seed` decides where things appear.
    pub(crate) fn new(seed: u64) -> Self {
        Self { owners: vec![None; cell_count()], gems: Vec::with_capacity(GEMS), random: Random::new(seed) }
    }

    /// A board whose gems nobody can foresee.
    pub(crate) fn unforeseeable() -> Self {
        Self::new(RandomState::new().hash_one(0))
    }

    /// Takes all paint and all gems away, and lays new gems.
    pub(crate) fn clear(&mut self, taken: &[Position]) {
        self.owners.fill(None);
        self.gems.clear();
        while self.gems.len() < GEMS {
            self.lay_gem(taken);
        }
    }

    /// Lays one gem where neither a gem nor a player is.
    pub(crate) fn lay_gem(&mut self, taken: &[Position]) -> Gem {
        let position = self.free_position(taken);
        let kind = if self.random.below(3) == 0 { GemKind::Cross } else { GemKind::Splash };
        let gem = Gem { kind: kind.into(), position: Some(position) };
        self.gems.push(gem);
        gem
    }

    /// Takes the gem from a cell, if there is one.
    pub(crate) fn take_gem(&mut self, position: Position) -> Option<Gem> {
        let index = self.gems.iter().position(|gem| gem.position == Some(position))?;
        Some(self.gems.swap_remove(index))
    }

    /// The gems that lie on the board.
    pub(crate) fn gems(&self) -> &[Gem] {
        &self.gems
    }

    /// A random cell with neither a gem nor a player on it.
    pub(crate) fn free_position(&mut self, taken: &[Position]) -> Position {
        let free: Vec<Position> = positions()
            .filter(|cell| !taken.contains(cell) && self.gems.iter().all(|gem| gem.position != Some(*cell)))
            .collect();
        // Players and gems together are far fewer than cells.
        free.get(self.random.below(free.len())).copied().unwrap_or_default()
    }

    /// Paints the cells for `seat`; returns the numbers of those that were not the seat's before, ascending, and the
    /// seats that lost one.
    pub(crate) fn paint(
        &mut self,
        seat: Seat,
        cells: impl IntoIterator<Item = Position>,
    ) -> (Vec<i32>, Vec<Seat>) {
        let mut painted = Vec::new();
        let mut losers = Vec::new();
        for number in cells.into_iter().filter_map(cell_number) {
            let Some(owner) = usize::try_from(number).ok().and_then(|index| self.owners.get_mut(index))
            else {
                continue;
            };
            match owner.replace(seat) {
                Some(former) if former == seat => continue,
                Some(former) if !losers.contains(&former) => losers.push(former),
                _ => {}
            }
            painted.push(number);
        }
        painted.sort_unstable();
        (painted, losers)
    }

    /// Takes a seat's paint from the board.
    pub(crate) fn erase(&mut self, seat: Seat) {
        for owner in &mut self.owners {
            if *owner == Some(seat) {
                *owner = None;
            }
        }
    }

    /// The numbers of the cells that a seat owns, ascending.
    pub(crate) fn cells_of(&self, seat: Seat) -> impl Iterator<Item = i32> {
        (0..).zip(&self.owners).filter(move |(_, owner)| **owner == Some(seat)).map(|(number, _)| number)
    }
}

/// The cell one step further, or `None` past the edge.
pub(crate) fn step(from: Position, direction: Direction) -> Option<Position> {
    let (x, y) = match direction {
        Direction::Unspecified => (0, 0),
        Direction::Up => (0, -1),
        Direction::Down => (0, 1),
        Direction::Left => (-1, 0),
        Direction::Right => (1, 0),
    };
    let to = Position { x: from.x + x, y: from.y + y };
    is_on_board(to).then_some(to)
}

/// The cells that a gem paints.
pub(crate) fn pattern(kind: GemKind, center: Position) -> Vec<Position> {
    let within = |cell: &Position| match kind {
        GemKind::Unspecified => false,
        GemKind::Splash => (cell.x - center.x).abs() <= 1 && (cell.y - center.y).abs() <= 1,
        GemKind::Cross => cell.x == center.x || cell.y == center.y,
    };
    positions().filter(within).collect()
}

fn positions() -> impl Iterator<Item = Position> {
    (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| Position { x, y }))
}

fn is_on_board(cell: Position) -> bool {
    (0..WIDTH).contains(&cell.x) && (0..HEIGHT).contains(&cell.y)
}

/// The number of a cell in messages: `y * WIDTH + x`.
pub(crate) fn cell_number(cell: Position) -> Option<i32> {
    is_on_board(cell).then_some(cell.y * WIDTH + cell.x)
}

fn cell_count() -> usize {
    positions().count()
}

/// A small xorshift generator: where gems appear need not be unguessable.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        // The generator stands still at 0.
        Self(seed.max(1))
    }

    /// A number below `end`, or 0 where `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        usize::try_from(self.0.checked_rem(end).unwrap_or_default()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: i32, y: i32) -> Position {
        Position { x, y }
    }

    #[test]
    fn steps_end_at_the_walls() {
        assert_eq!(step(at(0, 0), Direction::Right), Some(at(1, 0)));
        assert_eq!(step(at(0, 0), Direction::Left), None);
        assert_eq!(step(at(0, 0), Direction::Up), None);
        assert_eq!(step(at(WIDTH - 1, HEIGHT - 1), Direction::Down), None);
        assert_eq!(step(at(WIDTH - 1, HEIGHT - 1), Direction::Right), None);
        assert_eq!(step(at(WIDTH - 1, HEIGHT - 1), Direction::Up), Some(at(WIDTH - 1, HEIGHT - 2)));
    }

    #[test]
    fn patterns_are_cut_at_the_walls() {
        assert_eq!(pattern(GemKind::Splash, at(5, 5)).len(), 9);
        assert_eq!(pattern(GemKind::Splash, at(0, 0)).len(), 4);
        assert_eq!(pattern(GemKind::Cross, at(3, 4)).len(), 16 + 12 - 1);
    }

    #[test]
    fn paint_tells_what_changed_and_who_lost() {
        let mut board = Board::new(1);
        assert_eq!(board.paint(0, [at(1, 0), at(0, 0)]), (vec![0, 1], vec![]));
        assert_eq!(board.paint(0, [at(0, 0)]), (vec![], vec![]));
        assert_eq!(board.paint(1, [at(0, 0), at(1, 0), at(0, 1)]), (vec![0, 1, 16], vec![0]));
        assert_eq!(board.cells_of(1).collect::<Vec<_>>(), [0, 1, 16]);
        assert_eq!(board.cells_of(0).count(), 0);
        board.erase(1);
        assert_eq!(board.cells_of(1).count(), 0);
        assert_eq!(board.paint(0, [at(-1, 0), at(0, HEIGHT)]), (vec![], vec![]), "off the board");
    }

    #[test]
    fn gems_lie_on_different_free_cells() {
        for seed in 0..50 {
            let mut board = Board::new(seed);
            let player = at(3, 3);
            board.clear(&[player]);
            let mut cells: Vec<_> = board.gems().iter().filter_map(|gem| gem.position).collect();
            assert_eq!(cells.len(), GEMS);
            assert!(!cells.contains(&player));
            cells.sort_by_key(|cell| cell_number(*cell));
            cells.dedup();
            assert_eq!(cells.len(), GEMS);
            let first = cells[0];
            assert_eq!(board.take_gem(first).unwrap().position, Some(first));
            assert_eq!(board.take_gem(first), None);
            assert_eq!(board.gems().len(), GEMS - 1);
        }
    }
}
