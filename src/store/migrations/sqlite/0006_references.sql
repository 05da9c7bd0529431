-- For PostgreSQL only. Here the foreign keys of events stay.
SELECT 1;
