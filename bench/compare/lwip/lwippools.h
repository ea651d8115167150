/* Memory of fixed sizes for what is sent: a header alone, a small segment, a full one. */
LWIP_MALLOC_MEMPOOL_START
LWIP_MALLOC_MEMPOOL(65000, 128)
LWIP_MALLOC_MEMPOOL(4000, 512)
LWIP_MALLOC_MEMPOOL(4000, 1664)
LWIP_MALLOC_MEMPOOL_END
