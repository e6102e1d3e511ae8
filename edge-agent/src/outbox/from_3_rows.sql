UPDATE chain SET (epoch, seq, id, made, position, signed, newest, counts) =
    (SELECT epoch, seq, id, made, position, signed, newest, counts FROM chain_3);
DROP TABLE chain_3;
