//! Which chips a mesh that is opened lies on in the published package: tt-metal's
//! `system_mesh.cpp`, as it was measured with ttnn 0.81.1.

use super::Setup;
use crate::allocator::Machine;
use crate::units::{DeviceId, MeshShape};

impl Setup {
    /// The rows and columns of the system that a mesh is opened on.
    #[must_use]
    pub fn system_shape(&self) -> MeshShape {
        match self.machine {
            // Measured: "the system mesh shape MeshShape([2, 1])".
            Machine::N300 => MeshShape { rows: 2, columns: 1 },
            _ => self.machine_shape(),
        }
    }

    /// The chips of a mesh of a shape at an offset, row by row.
    ///
    /// A line follows the ring of a system of two rows from its offset on; a mesh that fits only
    /// when it is turned is turned.
    ///
    /// # Errors
    /// The text that is raised if there is no place for it.
    pub fn placed(&self, shape: MeshShape, at: (u8, u8)) -> Result<Vec<DeviceId>, String> {
        let (system, chips) = (self.system_shape(), self.chips());
        let (whole, count) = (told(system), shape.chip_count());
        if count > chips.len() {
            return Err(format!(
                "Requested mesh shape {} requires {count} devices, but only {} devices are \
                 available in the system mesh {whole}.",
                told(shape),
                chips.len()
            ));
        }
        if at.0 >= system.rows || at.1 >= system.columns {
            let (row, column) = at;
            return Err(format!(
                "The specified offset MeshCoordinate([{row}, {column}]) is out of bounds for the \
                 system mesh shape {whole}"
            ));
        }
        // ASSUMED: the lines of a Galaxy, which has more rows, are paths whose search was not read.
        if system.rows == 2 && (shape.rows == 1 || shape.columns == 1) {
            let there = (0..system.columns).map(|column| (0, column));
            let back = (0..system.columns).rev().map(|column| (1, column));
            let ring: Vec<(u8, u8)> = there.chain(back).collect();
            let start = ring.iter().position(|place| *place == at).unwrap_or(0);
            let line = ring.iter().cycle().skip(start).take(count);
            return Ok(line.map(|&place| self.chip(place)).collect());
        }
        let cells = (0..shape.rows).flat_map(|row| (0..shape.columns).map(move |of| (row, of)));
        if self.fits(shape, at) {
            return Ok(cells.map(|(row, of)| self.chip((at.0 + row, at.1 + of))).collect());
        }
        self.turned(shape, at, at).ok_or_else(|| {
            format!(
                "Requested mesh is too big and is not rotatable: {} and SystemMesh {whole}, offset \
                 MeshCoordinate([{}, {}])",
                told(shape),
                at.0,
                at.1
            )
        })
    }

    /// The chips at a place of a mesh that fits at an offset only when it is turned; none if it
    /// fits as it is, or not at all.
    #[must_use]
    pub fn turned(
        &self,
        shape: MeshShape,
        at: (u8, u8),
        (row, column): (u8, u8),
    ) -> Option<Vec<DeviceId>> {
        let MeshShape { rows: columns, columns: rows } = shape;
        if self.fits(shape, at) || !self.fits(MeshShape { rows, columns }, at) {
            return None;
        }
        let cells = (0..columns).flat_map(|of| (0..rows).map(move |down| (down, of)));
        Some(cells.map(|(down, of)| self.chip((row + down, column + of))).collect())
    }

    fn fits(&self, shape: MeshShape, at: (u8, u8)) -> bool {
        let system = self.system_shape();
        let ends =
            |at: u8, length: u8, whole: u8| u16::from(at) + u16::from(length) <= whole.into();
        ends(at.0, shape.rows, system.rows) && ends(at.1, shape.columns, system.columns)
    }

    fn chip(&self, (row, column): (u8, u8)) -> DeviceId {
        self.chips()
            [usize::from(row) * usize::from(self.system_shape().columns) + usize::from(column)]
    }
}

fn told(MeshShape { rows, columns }: MeshShape) -> String {
    format!("MeshShape([{rows}, {columns}])")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it was measured on a T3K, an 8xP150 and an N300.
    #[test]
    fn lines_follow_the_ring_and_meshes_are_turned() {
        let shape = |rows, columns| MeshShape { rows, columns };
        let placed = |machine, rows, columns, at| {
            let chips = Setup::on(machine).placed(shape(rows, columns), at)?;
            Ok::<Vec<u8>, String>(chips.iter().map(|chip| chip.0).collect())
        };
        let t3k = |rows, columns, at| placed(Machine::T3k, rows, columns, at);
        assert_eq!(t3k(1, 2, (1, 0)), Ok(vec![5, 4]));
        assert_eq!(t3k(2, 1, (0, 3)), Ok(vec![6, 7]));
        assert_eq!(t3k(1, 5, (1, 2)), Ok(vec![3, 1, 5, 4, 0]));
        assert_eq!(t3k(8, 1, (0, 1)), Ok(vec![0, 2, 6, 7, 3, 1, 5, 4]));
        assert_eq!(t3k(2, 2, (0, 1)), Ok(vec![0, 2, 1, 3]));
        assert_eq!(t3k(3, 2, (0, 0)), Ok(vec![4, 5, 0, 1, 2, 3]));
        assert_eq!(placed(Machine::P150x8, 1, 4, (1, 1)), Ok(vec![2, 3, 1, 0]));
        assert_eq!(placed(Machine::N300, 1, 2, (1, 0)), Ok(vec![1, 0]));
        let galaxy = placed(Machine::Galaxy6u, 3, 2, (1, 1));
        assert_eq!(galaxy, Ok(vec![20, 22, 24, 26, 28, 30]));
        let first = Setup::on(Machine::Galaxy6u).turned(shape(2, 3), (3, 2), (0, 0));
        let first = first.map(|chips| chips.iter().map(|chip| chip.0).collect());
        assert_eq!(first, Some(vec![0, 4, 8, 16, 20, 24]));
        assert_eq!(Setup::on(Machine::T3k).turned(shape(2, 3), (0, 1), (0, 0)), None);
        let raises = |text: Result<Vec<u8>, String>| text.err().unwrap_or_default();
        assert!(raises(t3k(2, 2, (1, 0))).starts_with("Requested mesh is too big and is not rot"));
        assert!(raises(t3k(1, 9, (3, 3))).contains(" requires 9 devices, but only 8 devices "));
        assert!(raises(placed(Machine::N300, 1, 1, (0, 1))).contains("shape MeshShape([2, 1])"));
    }
}
