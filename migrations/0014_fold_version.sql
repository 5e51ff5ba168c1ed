-- Which version of the fold made the tables: a runner of another version leaves them alone.

ALTER TABLE projections ADD COLUMN fold integer NOT NULL DEFAULT 1;
